package io.spared.spare;

import io.spared.ffi.disk.DiskAddress;

/** What reaches the owner of the spares from its own parts. */
sealed interface SpareNews extends SpareCommand {
  /** One spare's actor has ended. */
  record Ended(DiskAddress address) implements SpareNews {}

  record StopOverdue() implements SpareNews {}
}

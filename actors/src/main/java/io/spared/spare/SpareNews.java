package io.spared.spare;

import io.spared.ffi.disk.DiskAddress;
import java.util.UUID;

/** What reaches the owner of the spares from its own parts. */
sealed interface SpareNews extends SpareCommand {
  /** One spare's table is read: it is known by its identity from now on. */
  record Known(DiskAddress address, UUID spareId) implements SpareNews {}

  /** One spare has said how full it is. */
  record Usage(SpareUsage usage) implements SpareNews {}

  record UsageOverdue() implements SpareNews {}

  record StopOverdue() implements SpareNews {}
}

package io.spared.spare;

import io.spared.ffi.disk.DiskException;
import org.apache.pekko.actor.typed.ActorRef;

/** What the actor of one spare disk is told. */
sealed interface SpareDiskCommand {
  /** Something that its owner was asked. */
  record Asked(SpareCommand.Public command) implements SpareDiskCommand {}

  record GetUsage(ActorRef<SpareCommand> replyTo) implements SpareDiskCommand {}

  record DiskOpened() implements SpareDiskCommand {}

  record DiskNotOpened(DiskException failure) implements SpareDiskCommand {}

  record DiskAnswered() implements SpareDiskCommand {}

  record Overdue() implements SpareDiskCommand {}

  /** Nobody used it for a while. */
  record CloseIfUnused() implements SpareDiskCommand {}

  record Stop() implements SpareDiskCommand {}
}

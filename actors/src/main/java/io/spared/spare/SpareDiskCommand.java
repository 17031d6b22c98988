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

  /** Somebody who used it has ended, and so uses it no more. */
  record UserEnded(ActorRef<SpareReply> user) implements SpareDiskCommand {}

  /** The last request of somebody who used it has come back. */
  record ShareEmpty(long share) implements SpareDiskCommand {}

  /** Time to look at the tables on the disk. */
  record CheckDue() implements SpareDiskCommand {}

  /** Nobody used it for a while. */
  record CloseIfUnused() implements SpareDiskCommand {}

  record Stop() implements SpareDiskCommand {}
}

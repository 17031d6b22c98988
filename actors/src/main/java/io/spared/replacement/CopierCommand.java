package io.spared.replacement;

import java.util.concurrent.CompletableFuture;
import org.apache.pekko.Done;

/** What the copier of a disk is told. */
public sealed interface CopierCommand {
  /** Answers {@link CopierRequest.SetWindow}: nothing is in flight in it. */
  record WindowQuiet(CopyWindow window) implements CopierCommand {}

  /** Answers {@link CopierRequest.LeaveMain}: whether the block is on a spare now. */
  record BlockLeft(long block, boolean left) implements CopierCommand {}

  /** Another rate from now on. */
  record SetRate(long bytesPerSecond) implements CopierCommand {}

  /** It ends; nothing more is written. */
  record Stop() implements CopierCommand {}

  /** From its own flow: copy this one, and say so. */
  record Copy(CopyWindow window, CompletableFuture<Done> copied) implements CopierCommand {}

  /** From its own flow: there is no more. */
  record FlowEnded(String failure) implements CopierCommand {}

  /** From its own disks. */
  record DisksAnswered() implements CopierCommand {}

  /** From its own timer: the time of the next window has come. */
  record Due() implements CopierCommand {}

  /** From its own timer: the window does not become quiet. */
  record Overdue() implements CopierCommand {}

  /** From its own timer: what went wrong is tried again. */
  record Again() implements CopierCommand {}
}

package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.queue.WriteIntents;
import io.spared.relocation.RelocatorRequest;
import io.spared.replacement.CopierCommand;
import io.spared.replacement.CopyProgress;
import io.spared.replacement.CopyWindow;
import java.time.Duration;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** The copier of a device whose main is being replaced: what it was told, and how far it is. */
final class Copying {
  private static final Duration KEEP_CURSOR_EVERY = Duration.ofSeconds(2);

  private final Run run;
  private final Serving serving;
  private @Nullable ActorRef<CopierCommand> copier;
  private @Nullable CopyWindow window;
  private Optional<CopyProgress> progress = Optional.empty();

  Copying(Run run, Serving serving) {
    this.run = run;
    this.serving = serving;
  }

  void begin(Disk to, long cursorBytes, WriteIntents intents, long bytesPerSecond) {
    copier =
        DeviceChildren.copier(
            run, serving, to, cursorBytes, intents, bytesPerSecond, KEEP_CURSOR_EVERY);
  }

  /** The copier waits until nothing is in flight in this window. */
  void waitsFor(CopyWindow wanted) {
    window = wanted.fromBytes() == wanted.toBytes() ? null : wanted;
  }

  /** Nothing is, at any queue. */
  void quiet() {
    CopyWindow asked = window;
    ActorRef<CopierCommand> copying = copier;
    if (asked != null && copying != null) {
      window = null;
      copying.tell(new CopierCommand.WindowQuiet(asked));
    }
  }

  void blockLeft(RelocatorRequest.MoveEnded ended) {
    ActorRef<CopierCommand> copying = copier;
    if (copying != null) {
      copying.tell(new CopierCommand.BlockLeft(ended.block(), ended.moved()));
    }
  }

  void told(CopyProgress now) {
    progress = Optional.of(now);
  }

  Optional<CopyProgress> progress() {
    return progress;
  }

  /** It ended by itself. */
  void ended() {
    copier = null;
  }

  void stop() {
    window = null;
    ActorRef<CopierCommand> copying = copier;
    copier = null;
    if (copying != null) {
      copying.tell(new CopierCommand.Stop());
      run.leave(copying);
    }
  }

  void forget() {
    copier = null;
    window = null;
    progress = Optional.empty();
  }
}

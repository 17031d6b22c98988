package io.spared.device;

import io.spared.ffi.disk.Disk;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The handing over of a disk that is opened on another thread. Opening may take for ever and its
 * asker may have given up or crashed meanwhile, so the disk is closed exactly once, by whichever of
 * {@link #deliver} and {@link #withdraw} comes second.
 */
public final class DiskClaim {
  private sealed interface State {
    record Waiting() implements State {}

    record Delivered(Disk disk) implements State {}

    record Withdrawn() implements State {}
  }

  private final AtomicReference<State> state = new AtomicReference<>(new State.Waiting());
  private final Executor blocking;

  /**
   * @param blocking where closing may wait for a disk
   */
  public DiskClaim(Executor blocking) {
    this.blocking = blocking;
  }

  /** The disk is open. Returns whether anybody still wants it; otherwise it is closed here. */
  public boolean deliver(Disk disk) {
    State now = state.get();
    if (now instanceof State.Waiting && state.compareAndSet(now, new State.Delivered(disk))) {
      return true;
    }
    disk.close();
    return false;
  }

  /** Nobody wants it any more, or nobody uses it any more. */
  public void withdraw() {
    State before = state.getAndSet(new State.Withdrawn());
    if (before instanceof State.Delivered delivered) {
      blocking.execute(delivered.disk()::close);
    }
  }

  boolean isWithdrawn() {
    return state.get() instanceof State.Withdrawn;
  }

  /** The open disk, or null. */
  public @Nullable Disk disk() {
    return state.get() instanceof State.Delivered delivered ? delivered.disk() : null;
  }
}

package io.spared.sim;

/** Something that happens at a moment of simulated time. It may be moved or taken back. */
public abstract class SimEvent {
  /** A moment that never comes. */
  public static final long NEVER = Long.MAX_VALUE;

  long atNanos = NEVER;
  long order;
  int heapIndex = -1;

  public final boolean isScheduled() {
    return heapIndex >= 0;
  }

  public final long atNanos() {
    return atNanos;
  }

  abstract void happen();

  static final class OfRunnable extends SimEvent {
    private final Runnable action;

    OfRunnable(Runnable action) {
      this.action = action;
    }

    @Override
    void happen() {
      action.run();
    }
  }
}

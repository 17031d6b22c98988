package io.spared.ffi.engine;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The ended requests of one owner. An engine appends, and calls the owner's signal once per turn in
 * which something was appended; the owner takes all of them when its message arrives. Used on the
 * engine's thread only.
 *
 * <p>One entry per end: a request that timed out and is released before its owner looked is seen
 * twice, with the outcome of each end in {@link #lastOutcome()}.
 */
public final class Completions {
  private final Runnable signal;
  private final ArrayDeque<IoRequest> requests = new ArrayDeque<>(256);
  private final ArrayDeque<IoRequest.Outcome> outcomes = new ArrayDeque<>(256);
  private IoRequest.Outcome lastOutcome = IoRequest.Outcome.IDLE;
  private boolean signalled;

  /** Set by an engine that has this in its list of owners to signal at the end of the turn. */
  public boolean touched;

  public Completions(Runnable signal) {
    this.signal = signal;
  }

  void add(IoRequest request) {
    requests.add(request);
    outcomes.add(request.outcome());
  }

  /**
   * For engines, at the end of a turn: tells the owner, unless it was told and has not looked yet.
   */
  public void signal() {
    if (!requests.isEmpty() && !signalled) {
      signalled = true;
      signal.run();
    }
  }

  /** The next ended request, or null when all were taken (the next end signals again). */
  public @Nullable IoRequest next() {
    IoRequest request = requests.poll();
    if (request == null) {
      signalled = false;
      return null;
    }
    lastOutcome = outcomes.remove();
    return request;
  }

  /** How the request that {@link #next()} gave last had ended. */
  public IoRequest.Outcome lastOutcome() {
    return lastOutcome;
  }
}

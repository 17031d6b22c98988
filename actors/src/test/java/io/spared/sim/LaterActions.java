package io.spared.sim;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Actions that were thought of after seeds had become known, drawn from a stream of their own: what
 * a seed drew before stays, and its numbers too.
 */
record LaterActions(
    SimRandom random, SimScript.Menu menu, int spares, long length, List<SimAction> before) {
  private static final long MILLI = 1_000_000L;

  List<SimAction> draw() {
    List<SimAction> more = new ArrayList<>();
    if (menu.replaces()) {
      whileReplacing(more);
      besideTheWindow(more);
    }
    if (menu.hosted()) {
      neighbour(more);
    }
    if (menu.copies()) {
      betweenMessages(more);
      secondHost(more);
    }
    more.sort(Comparator.comparingLong(SimAction::atNanos));
    return more;
  }

  /**
   * A copier's window is open for long when the new disk takes its time, and clients write there
   * just then.
   */
  private void whileReplacing(List<SimAction> more) {
    if (!random.chance(0.5)) {
      return;
    }
    // Below the deadline of a request: the disk is not given up.
    long most = random.logUniform(2 * MILLI, 1_000 * MILLI);
    more.add(
        new SimAction(
            0, SimAction.Kind.SLUGGISH, spares + 1, most, 0.2 + 0.8 * random.nextDouble()));
    for (SimAction action : before) {
      if (action.kind() == SimAction.Kind.REPLACE) {
        int times = 2 + random.below(8);
        for (int i = 0; i < times; i++) {
          long at = action.atNanos() + random.logUniform(MILLI, 5_000 * MILLI);
          long requests = random.logUniform(4, 200);
          more.add(new SimAction(at, SimAction.Kind.WORK, -1, requests, 0));
        }
      }
    }
  }

  /**
   * Windows before and after the one that is copied; a new disk that fails a write now and then.
   */
  private void besideTheWindow(List<SimAction> more) {
    if (random.chance(0.4)) {
      long bytes = (256L << 10) * (1 + random.below(4));
      more.add(new SimAction(0, SimAction.Kind.LARGER, -1, bytes, 0));
    }
    if (random.chance(0.25)) {
      double rate = 0.03 * Math.exp(-3 * random.nextDouble());
      more.add(new SimAction(0, SimAction.Kind.RATE_TRANSPORT, spares + 1, 0, rate));
    }
  }

  /**
   * Another device in the same daemon. A spare that comes back older is noticed by what one device
   * knows of it, which says nothing about another's: then they share none.
   */
  private void neighbour(List<SimAction> more) {
    if (!random.chance(0.3)) {
      return;
    }
    boolean older = before.stream().anyMatch(a -> a.kind() == SimAction.Kind.RETURN_OLDER);
    boolean shares = random.chance(0.6) && !older;
    more.add(new SimAction(0, SimAction.Kind.NEIGHBOUR, -1, shares ? 1 : 0, 0));
  }

  /** Messages that wait for each other, and checkpoints that begin between any two of them. */
  private void betweenMessages(List<SimAction> more) {
    if (!random.chance(0.6)) {
      return;
    }
    long most = random.logUniform(MILLI / 50, MILLI);
    more.add(new SimAction(0, SimAction.Kind.BUSY_MACHINE, -1, most, 0));
    if (random.chance(0.7)) {
      double fill = 0.2 * Math.exp(-3 * random.nextDouble());
      more.add(new SimAction(0, SimAction.Kind.CHECKPOINT_FILL, -1, 0, fill));
    }
  }

  /**
   * Another host takes over and has much to do before it dies, so that its checkpoints stand where
   * those of the first one were; then the first goes on.
   */
  private void secondHost(List<SimAction> more) {
    boolean already = before.stream().anyMatch(a -> a.kind() == SimAction.Kind.TAKE_OVER);
    if (already || !random.chance(0.4)) {
      return;
    }
    more.add(new SimAction(length + 1, SimAction.Kind.TAKE_OVER, -1, 0, 0));
    // The first one has to have been quiet for ten seconds before.
    long begins = length + 10_000 * MILLI;
    long works = random.logUniform(500 * MILLI, 40_000 * MILLI);
    int times = 1 + random.below(12);
    for (int i = 0; i < times; i++) {
      long at = begins + random.below(works);
      more.add(new SimAction(at, SimAction.Kind.DEFECT, 0, random.nextLong() >>> 1, 0));
      more.add(new SimAction(at + MILLI, SimAction.Kind.WORK, -1, 1 + random.below(200), 0));
    }
    more.add(new SimAction(begins + works, SimAction.Kind.KILL, -1, 0, 0));
  }
}

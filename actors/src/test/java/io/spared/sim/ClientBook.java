package io.spared.sim;

import io.spared.ffi.Errno;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What all clients of a device share and what outlives the daemon: the truth, what is asked and not
 * answered, and the counts.
 */
public final class ClientBook {
  /** A question that must be answered. */
  static final class Asked {
    final String what;
    final long begunNanos;

    Asked(String what, long begunNanos) {
      this.what = what;
      this.begunNanos = begunNanos;
    }
  }

  private static final long ADD_SPARE_MORE_NANOS = 6 * 60_000_000_000L;

  private final SimWorld world;
  private final Truth truth;
  private final Set<Asked> unanswered = new LinkedHashSet<>();
  private @Nullable Object assembly;
  private boolean flushFailed;
  private boolean mustSucceed;
  private long answered;
  private long failed;

  public ClientBook(SimWorld world, Truth truth) {
    this.world = world;
    this.truth = truth;
  }

  public Truth truth() {
    return truth;
  }

  public long answered() {
    return answered;
  }

  public long failed() {
    return failed;
  }

  public int unanswered() {
    return unanswered.size();
  }

  /** From now on nothing may fail, but reads of sectors whose content is lost. */
  public void everythingMustSucceed(boolean must) {
    mustSucceed = must;
  }

  public boolean flushHasFailed() {
    return flushFailed;
  }

  /** A queue was opened; other doubts than before mean that the device was assembled anew. */
  void opened(Object doubts) {
    if (assembly != doubts) {
      assembly = doubts;
      flushFailed = false;
    }
  }

  Asked ask(String what) {
    Asked asked = new Asked(what, world.nowNanos());
    unanswered.add(asked);
    return asked;
  }

  void answer(Asked asked, @Nullable Errno errno) {
    answered++;
    if (!unanswered.remove(asked)) {
      truth.violated("answered twice: " + asked.what);
    }
    if (errno != null) {
      failed++;
      world
          .coverage()
          .hit("client." + asked.what.substring(0, asked.what.indexOf(' ')) + "." + errno);
      if (mustSucceed) {
        truth.violated(
            asked.what + " failed with " + errno + " though every disk had been well for long");
      }
    }
  }

  /** A read may fail in sectors that are lost, for as long as nobody writes them. */
  void answerRead(Asked asked, @Nullable Errno errno) {
    boolean must = mustSucceed;
    mustSucceed = false;
    answer(asked, errno);
    mustSucceed = must;
  }

  void flushEnded(Asked asked, long begun, boolean begunAfterFailure, @Nullable Errno errno) {
    answer(asked, errno);
    if (errno == null) {
      if (begunAfterFailure) {
        truth.violated("a flush succeeded after another had failed, and the device ran on");
      }
      truth.flushSucceeded(begun);
    } else if (errno != Errno.ESHUTDOWN) {
      flushFailed = true;
      truth.flushFailed();
    }
  }

  void commandAnswered(Asked asked, Object answer) {
    world.coverage().hit(asked.what + " " + answer.getClass().getSimpleName());
    if (!unanswered.remove(asked)) {
      truth.violated("answered twice: " + asked.what);
    }
  }

  /** The oldest question without an answer that was asked before this moment. */
  @Nullable String unansweredSince(long nanos) {
    for (Asked asked : unanswered) {
      // Whole copies are written to a further spare: that may take its time.
      long more = asked.what.equals("COMMAND ADD_SPARE") ? ADD_SPARE_MORE_NANOS : 0;
      if (asked.begunNanos < nanos - more) {
        return asked.what
            + " was asked "
            + (world.nowNanos() - asked.begunNanos) / 1_000_000
            + " ms ago and is not answered";
      }
    }
    return null;
  }

  /** The device was assembled anew. */
  public void restarted(boolean powerWasCut) {
    flushFailed = false;
    for (Asked asked : unanswered) {
      if (asked.what.startsWith("FLUSH")) {
        truth.flushFailed();
        break;
      }
    }
    unanswered.clear();
    if (powerWasCut) {
      truth.powerCut();
    } else {
      truth.daemonDied();
    }
  }
}

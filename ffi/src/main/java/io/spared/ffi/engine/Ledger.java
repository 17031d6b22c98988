package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * The book of one engine: which requests are in flight, when each is due, which are held by the
 * kernel after their end, and whom to tell. Engines of every kind keep one, and so do ports of
 * disks made in software, so that deadlines, counters and signals are the same for all.
 *
 * <p>A request has a slot ({@link IoRequest#engineSlot}) from {@link #begin} until the kernel's
 * word, also while it is held; slots are therefore never mistaken for one another.
 *
 * <p>Deadlines cost one comparison per request: the book remembers a time before which nothing is
 * due, and only when that passes looks through all slots and finds the next one. Used on the
 * engine's thread only.
 */
public final class Ledger {
  /** A deadline or time that never comes. */
  public static final long NEVER = Long.MAX_VALUE;

  /** The most requests that one engine carries; more is a leak or a missing bound above. */
  public static final int SLOTS_MAX = 1 << 16;

  /** Whoever carries a request out, for when its time is over. */
  public interface Carrier {
    /**
     * The request missed its deadline. The carrier ends it now, by {@link #abandon} or {@link
     * #endWithoutTransfer}.
     */
    void overdue(IoRequest request);
  }

  /** Carries nothing: for requests that end within the call that took them. */
  static final Carrier NOBODY =
      request -> {
        throw new IllegalStateException("nobody carries " + request);
      };

  private record Timer(long atNanos, long order, Runnable task) implements Comparable<Timer> {
    @Override
    public int compareTo(Timer other) {
      int byTime = Long.compare(atNanos, other.atNanos);
      return byTime != 0 ? byTime : Long.compare(order, other.order);
    }
  }

  private @Nullable IoRequest[] requests = new IoRequest[256];
  private @Nullable Carrier[] carriers = new Carrier[256];
  private long[] dueNanos = new long[256];
  private int[] freeSlots = new int[256];
  private int freeCount;
  private int usedEnd;

  private final List<Completions> touched = new ArrayList<>();
  private final List<Runnable> afterSignals = new ArrayList<>();
  private final PriorityQueue<Timer> timers = new PriorityQueue<>();
  private long timerOrder;
  private long earliestDueNanos = NEVER;
  private int inFlight;
  private int held;
  private long ended;

  /** Enters a request that its carrier takes on. Gives its slot. */
  public int begin(IoRequest request, Carrier carrier) {
    request.submitted();
    int slot = takeSlot();
    requests[slot] = request;
    carriers[slot] = carrier;
    long due = request.deadlineNanos();
    dueNanos[slot] = due;
    if (due < earliestDueNanos) {
      earliestDueNanos = due;
    }
    request.engineSlot = slot;
    inFlight++;
    return slot;
  }

  private int takeSlot() {
    if (freeCount > 0) {
      return freeSlots[--freeCount];
    }
    if (usedEnd == requests.length) {
      if (usedEnd == SLOTS_MAX) {
        throw new IllegalStateException("more than " + SLOTS_MAX + " requests in one engine");
      }
      int size = usedEnd * 2;
      requests = Arrays.copyOf(requests, size);
      carriers = Arrays.copyOf(carriers, size);
      dueNanos = Arrays.copyOf(dueNanos, size);
      freeSlots = Arrays.copyOf(freeSlots, size);
    }
    dueNanos[usedEnd] = NEVER;
    return usedEnd++;
  }

  private void freeSlot(IoRequest request) {
    int slot = request.engineSlot;
    if (slot < 0 || requests[slot] != request) {
      throw new IllegalStateException("not in this engine's book: " + request);
    }
    requests[slot] = null;
    carriers[slot] = null;
    dueNanos[slot] = NEVER;
    freeSlots[freeCount++] = slot;
    request.engineSlot = -1;
  }

  /** The request in this slot, in flight or held; null for a free slot. */
  public @Nullable IoRequest at(int slot) {
    return slot >= 0 && slot < usedEnd ? requests[slot] : null;
  }

  /** Who carries the request in this slot. */
  @Nullable Carrier carrierAt(int slot) {
    return carriers[slot];
  }

  /** One more than the highest slot ever used. */
  public int slotsEnd() {
    return usedEnd;
  }

  /** The kernel's word: DONE or FAILED, or RELEASED for a request that was held. */
  public void end(
      IoRequest request, int transferredBytes, @Nullable Errno errno, @Nullable Object result) {
    freeSlot(request);
    if (request.held()) {
      held--;
    } else {
      inFlight--;
    }
    request.ended(transferredBytes, errno, result);
    ended++;
    touch(request.completions());
  }

  /** Ends a request for its owner while the kernel may still carry it out. */
  public void abandon(IoRequest request, IoRequest.Outcome timedOutOrCancelled) {
    dueNanos[request.engineSlot] = NEVER;
    inFlight--;
    held++;
    request.abandoned(timedOutOrCancelled);
    ended++;
    touch(request.completions());
  }

  /** Ends a request that the kernel never had, or has let go without doing it. */
  public void endWithoutTransfer(IoRequest request, IoRequest.Outcome timedOutOrCancelled) {
    freeSlot(request);
    inFlight--;
    request.endedWithoutTransfer(timedOutOrCancelled);
    ended++;
    touch(request.completions());
  }

  /** Sees to it that this owner is signalled at the end of the current or next turn. */
  public void touch(Completions completions) {
    if (!completions.touched) {
      completions.touched = true;
      touched.add(completions);
    }
  }

  /** Runs a task in the first turn at or after this time; never within this call. */
  public void later(long atNanos, Runnable task) {
    timers.add(new Timer(atNanos, timerOrder++, task));
  }

  /** Until when an engine may wait: a time already past means not at all. */
  public long nextEventNanos() {
    if (!touched.isEmpty() || !afterSignals.isEmpty()) {
      return Long.MIN_VALUE;
    }
    Timer timer = timers.peek();
    return timer == null ? earliestDueNanos : Math.min(earliestDueNanos, timer.atNanos());
  }

  /** Ends what is overdue and runs what was put off until now. */
  public void expire(long nowNanos) {
    runTimers(nowNanos);
    if (nowNanos < earliestDueNanos) {
      return;
    }
    for (int slot = 0; slot < usedEnd; slot++) {
      if (dueNanos[slot] <= nowNanos) {
        IoRequest request = requests[slot];
        Carrier carrier = carriers[slot];
        dueNanos[slot] = NEVER;
        if (request != null && carrier != null) {
          carrier.overdue(request);
        }
      }
    }
    long earliest = NEVER;
    for (int slot = 0; slot < usedEnd; slot++) {
      earliest = Math.min(earliest, dueNanos[slot]);
    }
    earliestDueNanos = earliest;
  }

  private void runTimers(long nowNanos) {
    // Tasks that put off further tasks until now run in the next turn, so that a turn always ends.
    int bound = timers.size();
    Timer timer = timers.peek();
    while (bound-- > 0 && timer != null && timer.atNanos() <= nowNanos) {
      timers.remove();
      timer.task().run();
      timer = timers.peek();
    }
  }

  /**
   * Runs a task once, at the end of the current or next turn, when every owner was signalled. For
   * owners with several {@link Completions} who want to look at all of them together, and who make
   * the task once: nothing is allocated. It must not throw.
   */
  public void afterSignals(Runnable task) {
    afterSignals.add(task);
  }

  /** Tells every owner of whom something ended. Ends that come of this are told next turn. */
  public void signal() {
    int count = touched.size();
    for (int i = 0; i < count; i++) {
      Completions completions = touched.get(i);
      completions.touched = false;
      completions.signal();
    }
    if (count == touched.size()) {
      touched.clear();
    } else {
      touched.subList(0, count).clear();
    }
    int tasks = afterSignals.size();
    for (int i = 0; i < tasks; i++) {
      afterSignals.get(i).run();
    }
    if (tasks == afterSignals.size()) {
      afterSignals.clear();
    } else {
      afterSignals.subList(0, tasks).clear();
    }
  }

  public int inFlight() {
    return inFlight;
  }

  public int held() {
    return held;
  }

  /** How many ends (RELEASED included) were told so far. */
  public long ended() {
    return ended;
  }
}

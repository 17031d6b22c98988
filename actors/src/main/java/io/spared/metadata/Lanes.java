package io.spared.metadata;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.metadata.Alarms.Kind;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * Everything of the writer that is on its way to or from a disk, and what waits for a buffer or for
 * a pause to end. Each of the waits has an alarm set, so each ends.
 */
final class Lanes implements ReadTask.Surroundings {
  private static final Duration BUFFER_RETRY = Duration.ofMillis(5);
  private static final int LOADING_WINDOW_BYTES = 256 * 1024;

  private final MetadataSettings settings;
  private final Engine engine;
  private final Alarms alarms;
  private final Completions completions;
  private final BooleanSupplier mayPause;
  private final Set<Lane> lanes = new LinkedHashSet<>();
  private final ArrayDeque<Runnable> waitingForBuffer = new ArrayDeque<>();
  private final ArrayDeque<Runnable> waitingForPause = new ArrayDeque<>();

  /**
   * @param signal called on the engine's thread when {@link #takeEnds} should be
   * @param mayPause whether background work is to leave room for others now
   */
  Lanes(
      MetadataSettings settings,
      Engine engine,
      Alarms alarms,
      Runnable signal,
      BooleanSupplier mayPause) {
    this.settings = settings;
    this.engine = engine;
    this.alarms = alarms;
    this.completions = new Completions(signal);
    this.mayPause = mayPause;
  }

  /** A lane for one piece of work, which closes it at its end. */
  Lane newLane(int bufferBytes) {
    lanes.removeIf(lane -> lane.isFree() && !lane.isOpen() && !lane.isLasting());
    return newLane(bufferBytes, false);
  }

  Lane newLaneOfCopy() {
    return newLane(Copy.MAX_RECORD_BYTES, true);
  }

  private Lane newLane(int bufferBytes, boolean lasting) {
    Lane lane = new Lane(engine, completions, bufferBytes, lasting);
    lanes.add(lane);
    return lane;
  }

  void leave(Lane lane) {
    lane.close();
    lanes.remove(lane);
  }

  int largestWindowBytes() {
    return Math.clamp(engine.buffers().largestBytes(), Build.BUFFER_BYTES, LOADING_WINDOW_BYTES);
  }

  @Override
  public long readDeadlineNanos() {
    return engine.nanoTime() + settings.readTimeout().toNanos();
  }

  @Override
  public void whenBufferMayBeFree(Runnable again) {
    waitingForBuffer.add(again);
    alarms.set(Kind.BUFFER, BUFFER_RETRY);
  }

  @Override
  public void next(Runnable again) {
    if (!settings.chunkPause().isZero() && mayPause.getAsBoolean()) {
      waitingForPause.add(again);
      alarms.set(Kind.BACKGROUND, settings.chunkPause());
    } else {
      again.run();
    }
  }

  void takeEnds() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      if (request.attachment() instanceof Lane lane) {
        lane.ended(completions.lastOutcome());
      }
    }
  }

  void buffersMayBeFree() {
    runAll(waitingForBuffer);
  }

  void pauseIsOver() {
    runAll(waitingForPause);
  }

  private static void runAll(ArrayDeque<Runnable> actions) {
    List<Runnable> all = List.copyOf(actions);
    actions.clear();
    all.forEach(Runnable::run);
  }

  /** Nothing can end any more. */
  boolean areIdle() {
    return waitingForBuffer.isEmpty() && lanes.stream().noneMatch(Lane::isInFlight);
  }

  int heldWrites() {
    return (int) lanes.stream().filter(lane -> lane.isHeld() || lane.isInFlight()).count();
  }

  void cancelAll() {
    lanes.forEach(Lane::cancel);
  }

  /** Gives every buffer back. */
  void closeAll() {
    waitingForBuffer.clear();
    waitingForPause.clear();
    lanes.forEach(Lane::close);
  }
}

package io.spared.ffi.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.UringEngine;
import io.spared.ffi.world.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The driver asked by somebody who may wait: a person's command, one question after the other, each
 * with a deadline. The daemon uses {@link UblkControl} and messages instead.
 */
public final class UblkDriver implements AutoCloseable {
  private static final Duration DEADLINE = Duration.ofSeconds(20);

  private final UringEngine engine;
  private final Completions completions;
  private final UblkControl control;
  private final Path directory;

  private UblkDriver(
      UringEngine engine, Completions completions, UblkControl control, Path directory) {
    this.engine = engine;
    this.completions = completions;
    this.control = control;
    this.directory = directory;
  }

  /**
   * Opens the control device for the calling thread.
   *
   * @param directory where the character devices are, /dev
   * @throws UblkException with the reason in one sentence
   */
  public static UblkDriver open(Path controlDevice, Path directory, Clock clock)
      throws UblkException {
    UringEngine engine;
    try {
      engine =
          UringEngine.open(
              clock, EngineSettings.DEFAULT.withSlab(64 << 10, 64 << 10).withLongEntries());
    } catch (IOException e) {
      throw new UblkException("ublk devices need io_uring: " + e.getMessage(), Errno.EOPNOTSUPP);
    }
    Completions completions = new Completions(() -> {});
    try {
      UblkControl control = UblkControl.open(controlDevice, engine, completions);
      return new UblkDriver(engine, completions, control, directory);
    } catch (UblkException e) {
      engine.close();
      throw e;
    }
  }

  /** All devices of the host, whoever made them, by number. */
  public List<UblkDeviceInfo> devices() {
    List<UblkDeviceInfo> devices = new ArrayList<>();
    for (int number : UblkDevices.numbers(directory)) {
      device(number).ifPresent(devices::add);
    }
    return devices;
  }

  public Optional<UblkDeviceInfo> device(int number) {
    ControlCall call = control.info(number);
    return carriedOut(call).isEmpty() ? Optional.of(call.info()) : Optional.empty();
  }

  /**
   * Stops and deletes a device; what programs still ask of it fails.
   *
   * @return why it is still there, or nothing
   */
  public Optional<Errno> remove(int number) {
    Optional<Errno> refused = carriedOut(control.stop(number));
    if (refused.isPresent() && refused.get() != Errno.ENODEV) {
      return refused;
    }
    return carriedOut(control.delete(number));
  }

  private Optional<Errno> carriedOut(ControlCall call) {
    control.submit(call, engine.nanoTime() + DEADLINE.toNanos());
    while (true) {
      engine.turn(true);
      IoRequest request = completions.next();
      while (request != null) {
        if (request == call.request() && !control.sentAgain(call)) {
          return switch (completions.lastOutcome()) {
            case DONE -> Optional.empty();
            case TIMED_OUT, CANCELLED -> Optional.of(Errno.ETIMEDOUT);
            case FAILED, RELEASED, IDLE, IN_FLIGHT ->
                Optional.of(request.errno() == null ? Errno.OTHER : request.errno());
          };
        }
        request = completions.next();
      }
    }
  }

  @Override
  public void close() {
    control.close();
    engine.close();
  }
}

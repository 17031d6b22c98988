package io.spared.ffi.engine;

import io.spared.ffi.libc.NativeException;
import io.spared.ffi.uring.UringUnavailableException;
import io.spared.ffi.world.Clock;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses and opens engines. */
public final class Engines {
  private static final Logger LOG = LoggerFactory.getLogger(Engines.class);

  /** Which engine is wanted. */
  public enum Choice {
    /** io_uring where the host allows it, threads otherwise. */
    AUTOMATIC,
    IO_URING,
    THREADS;

    /** From a setting's words: auto, io_uring or threads. */
    public static Choice of(String word) {
      return switch (word) {
        case "auto" -> AUTOMATIC;
        case "io_uring" -> IO_URING;
        case "threads" -> THREADS;
        default ->
            throw new IllegalArgumentException(
                "no engine is called " + word + "; choose auto, io_uring or threads");
      };
    }
  }

  private Engines() {}

  /**
   * Opens an engine for the calling thread, and says in the log which one and why.
   *
   * @throws IOException when the one that was asked for by name cannot be had, in one sentence
   */
  public static FileEngine open(Choice choice, Clock clock, EngineSettings settings)
      throws IOException {
    return switch (choice) {
      case IO_URING -> uring(clock, settings);
      case THREADS -> threads(clock, settings, "as configured");
      case AUTOMATIC -> {
        try {
          yield uring(clock, settings);
        } catch (UringUnavailableException e) {
          LOG.info("no io_uring here: {}", e.getMessage());
          yield threads(clock, settings, "since there is no io_uring");
        }
      }
    };
  }

  private static FileEngine uring(Clock clock, EngineSettings settings) throws IOException {
    UringEngine engine = UringEngine.open(clock, settings);
    LOG.info("engine io_uring: {}", engine);
    return engine;
  }

  private static FileEngine threads(Clock clock, EngineSettings settings, String why)
      throws NativeException {
    ThreadsEngine engine = ThreadsEngine.open(clock, settings);
    LOG.info("engine threads, {}: {}", why, engine);
    return engine;
  }
}

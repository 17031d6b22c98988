package io.spared.ffi.ublk;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.UringEngine;
import io.spared.ffi.world.World;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Asks the driver of the test VM's kernel for devices with features together, and says which it
 * made: what it grants, or why not.
 */
public final class FeatureTrial {
  private FeatureTrial() {}

  /** Needs no argument. */
  public static void main(String[] arguments) throws Exception {
    UringEngine engine =
        UringEngine.open(
            World.real().clock(),
            EngineSettings.DEFAULT.withSlab(64 << 10, 64 << 10).withLongEntries());
    Completions completions = new Completions(() -> {});
    UblkControl control = UblkControl.open(Path.of("/dev/ublk-control"), engine, completions);
    ControlCall features = control.features();
    say("offers", features, carriedOut(engine, completions, control, features));
    System.out.println("offers " + UblkFeature.names(features.features()));
    for (Set<UblkFeature> wanted :
        List.of(
            EnumSet.of(UblkFeature.USER_COPY),
            EnumSet.of(UblkFeature.SUPPORT_ZERO_COPY),
            EnumSet.of(UblkFeature.AUTO_BUF_REG),
            EnumSet.of(UblkFeature.SUPPORT_ZERO_COPY, UblkFeature.AUTO_BUF_REG),
            EnumSet.of(UblkFeature.SUPPORT_ZERO_COPY, UblkFeature.USER_COPY),
            EnumSet.of(UblkFeature.AUTO_BUF_REG, UblkFeature.USER_COPY),
            EnumSet.of(
                UblkFeature.SUPPORT_ZERO_COPY, UblkFeature.AUTO_BUF_REG, UblkFeature.USER_COPY),
            EnumSet.of(UblkFeature.BATCH_IO),
            EnumSet.of(UblkFeature.BATCH_IO, UblkFeature.USER_COPY),
            EnumSet.of(UblkFeature.BATCH_IO, UblkFeature.AUTO_BUF_REG))) {
      ControlCall add =
          control.add(UblkDeviceInfo.wanted(UblkDeviceInfo.ANY_NUMBER, 1, 8, 64 << 10, wanted, 77));
      IoRequest.Outcome outcome = carriedOut(engine, completions, control, add);
      say("with " + UblkFeature.names(wanted), add, outcome);
      if (outcome == IoRequest.Outcome.DONE) {
        System.out.println("  granted " + UblkFeature.names(add.info().features()));
        carriedOut(engine, completions, control, control.delete(add.info().number()));
      }
    }
    control.close();
    engine.close();
  }

  private static void say(String what, ControlCall call, IoRequest.Outcome outcome) {
    System.out.println(what + ": " + outcome + " " + call.request().errno());
  }

  private static IoRequest.Outcome carriedOut(
      UringEngine engine, Completions completions, UblkControl control, ControlCall call) {
    control.submit(call, engine.nanoTime() + Duration.ofSeconds(20).toNanos());
    while (true) {
      engine.turn(true);
      IoRequest request = completions.next();
      while (request != null) {
        if (request == call.request() && !control.sentAgain(call)) {
          return completions.lastOutcome();
        }
        request = completions.next();
      }
    }
  }
}

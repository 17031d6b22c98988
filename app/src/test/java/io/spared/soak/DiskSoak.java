package io.spared.soak;

import io.spared.app.offline.OfflineException;
import io.spared.app.scenario.KillTrial;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * {@code ./spared soak disk [--minutes N] [--seed S] [--disks loop,filtered,volatile,local]}: the
 * real daemon on loop devices and on nbdkit servers, with faults from below, killed with SIGKILL
 * again and again under a client that knows what it was told, and reads everything after every
 * kill. Loop devices need root. What is found is printed with its seed, and its files are kept.
 */
public final class DiskSoak implements Soak {
  private static final int KILLS_PER_DEVICE = 5;

  private long devices;
  private long kills;
  private long acknowledged;
  private long flushes;
  private long unanswered;
  private long remapped;
  private long takenBack;
  private long checked;
  private long unreadable;

  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws IOException {
    List<KillTrial.Disks> kinds =
        List.of(KillTrial.Disks.LOOP, KillTrial.Disks.FILTERED, KillTrial.Disks.VOLATILE);
    if (arguments.rest().size() == 2 && arguments.rest().getFirst().equals("--disks")) {
      kinds =
          List.of(arguments.rest().get(1).split(",", -1)).stream()
              .map(name -> KillTrial.Disks.valueOf(name.toUpperCase(java.util.Locale.ROOT)))
              .toList();
    }
    long seed = arguments.seed();
    while (!arguments.over()) {
      KillTrial.Disks disks = kinds.get((int) (devices++ % kinds.size()));
      Path directory = Files.createTempDirectory("spared-soak-disk");
      try (KillTrial trial = new KillTrial(directory, disks, Optional.empty(), seed)) {
        for (int i = 0; i < KILLS_PER_DEVICE && !arguments.over(); i++) {
          trial.round();
          kills++;
          progress.at(() -> sentence() + "; this device: " + trial);
        }
        acknowledged += trial.acknowledged();
        flushes += trial.flushes();
        unanswered += trial.unanswered();
        takenBack += trial.takenBack();
        remapped += trial.remapped();
        checked += trial.checked();
        unreadable += trial.unreadable();
      } catch (IOException | OfflineException | AssertionError found) {
        found.printStackTrace();
        progress.say("found with seed " + seed + " on " + disks + ", files in " + directory);
        return false;
      }
      delete(directory);
      seed++;
    }
    progress.say(sentence() + "; seeds " + arguments.seed() + " to " + (seed - 1));
    return true;
  }

  private static void delete(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private String sentence() {
    return devices
        + " devices, their daemons killed "
        + kills
        + " times, "
        + acknowledged
        + " writes and "
        + flushes
        + " flushes acknowledged, "
        + unanswered
        + " writes under way then, "
        + remapped
        + " blocks remapped, "
        + takenBack
        + " sectors unflushed when power was lost, "
        + checked
        + " reads checked beside the writes, "
        + unreadable
        + " times a sector was told lost after a restart";
  }
}

package io.spared.soak;

import io.spared.app.scenario.Lifecycle;
import io.spared.app.scenario.LifecycleTrial;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Devices come and go without end, four at a time, on files and loop devices, used through NBD and
 * from within; a part of the clients crash. After a warm-up of at most a third of the time threads,
 * descriptors, rings, loop devices, requests, slabs and heap are counted after every tenth round.
 * It fails on whatever grows, and when too few rounds were counted.
 */
public final class LifecycleSoak implements Soak {
  /** The monitor's history and all pools are full after so many. */
  private static final int WARM_UP_ROUNDS = 100;

  /** A count collects all garbage, and so takes as long as a round. */
  private static final int ROUNDS_OF_A_COUNT = 10;

  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws IOException {
    Path directory = Files.createTempDirectory("spared-lifecycle");
    try {
      boolean loops = Lifecycle.canLoop(directory);
      if (!loops) {
        progress.say("no loop devices can be had here: only files");
      }
      long warmUpEnds =
          arguments.endNanos() - arguments.length().toNanos() + arguments.length().toNanos() / 3;
      try (Lifecycle lifecycle = new Lifecycle(directory, loops)) {
        LifecycleTrial trial = new LifecycleTrial(lifecycle, arguments.seed());
        trial.warmUp(WARM_UP_ROUNDS, () -> System.nanoTime() - warmUpEnds >= 0);
        String[] last = {""};
        List<String> leaks =
            trial.run(
                ROUNDS_OF_A_COUNT,
                arguments::over,
                line -> {
                  last[0] = line;
                  progress.at(() -> line);
                });
        progress.say(last[0]);
        leaks.forEach(leak -> progress.say("found: " + leak));
        progress.say(lifecycle.cycles() + " lives, " + trial.counted() + " counts of what is held");
        return leaks.isEmpty();
      }
    } finally {
      try (Stream<Path> all = Files.walk(directory)) {
        all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
      }
    }
  }
}

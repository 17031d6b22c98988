package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The bounded form of {@code ./spared soak lifecycle}, on files. */
@Timeout(120)
final class LifecycleTest {
  private static final long SEED = 20_261_121;

  @TempDir Path directory;

  @Test
  void devicesThatComeAndGoLeaveNothingBehind() throws IOException {
    try (Lifecycle lifecycle = new Lifecycle(directory, false)) {
      LifecycleTrial trial = new LifecycleTrial(lifecycle, SEED);
      trial.warmUp(3, () -> false);
      AtomicInteger rounds = new AtomicInteger();

      // Heap says nothing yet after so few; the soak looks at it for longer.
      assertThat(trial.run(1, () -> rounds.getAndIncrement() >= 6, line -> {}))
          .as("seed " + SEED)
          .filteredOn(leak -> !leak.startsWith("heap"))
          .isEmpty();
    }
  }
}

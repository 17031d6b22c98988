package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Seeds that once found something; docs/internals/found-by-simulation.md tells what. */
class FoundBySimulationTest {
  private static void staysFixed(String kind, long seed) {
    assertThat(Kinds.run(kind, seed).violation()).as(kind + " seed " + seed).isNull();
  }

  @Test
  void aRelocatorThatIsStoppedGivesItsBuffersBack() {
    staysFixed("daemon", 155);
    staysFixed("daemon", 218);
  }

  @Test
  void theWholeDaemonRunsTheSameWayForTheSameSeed() {
    assertThat(Kinds.run("daemon", 300).traceHash())
        .isEqualTo(Kinds.run("daemon", 300).traceHash());
  }
}

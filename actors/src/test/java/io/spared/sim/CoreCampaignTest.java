package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** In every build: a bounded number of seeds against queues, relocation and metadata. */
class CoreCampaignTest {
  private static final long FIRST_SEED = 1_000_000;
  private static final int RUNS = 100;
  private static final long SECONDS_MAX = 25;

  @Test
  void queuesAndRelocationKeepTheTruthWhateverDisksDo() {
    campaign("queues");
  }

  @Test
  void metadataOnDisksThatLieAndFailKeepsEveryAcknowledgedRemap() {
    campaign("writer");
  }

  @Test
  void anyTwoOfFiveCopiesMayBeDestroyedWheneverTheDaemonDies() {
    campaign("copies");
  }

  @Test
  void theWholeDaemonKeepsItsPromisesWhateverHappens() {
    campaign("daemon");
  }

  @Test
  void anotherDiskTakesMainsPlaceWhateverHappens() {
    campaign("replacing", 25, "replace.switched");
  }

  private static void campaign(String kind) {
    campaign(kind, RUNS);
  }

  /** Within the time, and beyond it until all that is reached. */
  private static void campaign(String kind, int runs, String... reached) {
    CoreCampaign campaign = new CoreCampaign();
    long begun = System.nanoTime();
    long end = begun + SECONDS_MAX * 1_000_000_000L;
    for (int i = 0; i < runs && (!isReached(campaign, reached) || System.nanoTime() < end); i++) {
      SimResult result = CoreRun.run(FIRST_SEED + i, CoreCampaign.options(kind), null, 0);
      campaign.take(result);
      if (result.violation() != null) {
        System.out.println(CoreCampaign.explain(kind, result.seed(), null));
      }
      assertThat(result.violation()).as("seed " + result.seed()).isNull();
    }
    System.out.println(kind + ": " + campaign.summary((System.nanoTime() - begun) / 1e9));
    assertThat(isReached(campaign, reached)).as(String.join(", ", reached)).isTrue();
  }

  private static boolean isReached(CoreCampaign campaign, String... all) {
    return Stream.of(all).allMatch(what -> campaign.coverage().count(what) > 0);
  }

  @Test
  void theSameSeedIsTheSameRunToTheLastMessage() {
    for (String kind : Kinds.ALL) {
      SimResult first = Kinds.run(kind, 302);
      SimResult again = CoreRun.run(302, CoreCampaign.options(kind), null, 50);
      assertThat(again.traceHash()).as(kind).isEqualTo(first.traceHash());
      assertThat(again.diskRequests()).isEqualTo(first.diskRequests());
      assertThat(Kinds.run(kind, 303).traceHash()).isNotEqualTo(first.traceHash());
    }
  }
}

package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** In every build: a bounded number of seeds against queues, relocation and metadata. */
class CoreCampaignTest {
  private static final long FIRST_SEED = 1_000_000;
  private static final int RUNS = 120;
  private static final long SECONDS_MAX = 40;

  @Test
  void queuesAndRelocationKeepTheTruthWhateverDisksDo() {
    campaign("queues");
  }

  private static void campaign(String kind) {
    CoreCampaign campaign = new CoreCampaign();
    long begun = System.nanoTime();
    for (int i = 0; i < RUNS && System.nanoTime() - begun < SECONDS_MAX * 1_000_000_000L; i++) {
      SimResult result = CoreRun.run(FIRST_SEED + i, CoreCampaign.options(kind), null, 0);
      campaign.take(result);
      if (result.violation() != null) {
        System.out.println(CoreCampaign.explain(kind, result.seed(), null));
      }
      assertThat(result.violation()).as("seed " + result.seed()).isNull();
    }
    System.out.println(kind + ": " + campaign.summary((System.nanoTime() - begun) / 1e9));
  }

  @Test
  void theSameSeedIsTheSameRunToTheLastMessage() {
    for (long seed : List.of(3L, 8L, 21L)) {
      SimResult first = CoreRun.run(seed, CoreCampaign.QUEUES, null, 0);
      SimResult again = CoreRun.run(seed, CoreCampaign.QUEUES, null, 50);
      assertThat(again.traceHash()).isEqualTo(first.traceHash());
      assertThat(again.diskRequests()).isEqualTo(first.diskRequests());
      assertThat(CoreRun.run(seed + 1, CoreCampaign.QUEUES, null, 0).traceHash())
          .isNotEqualTo(first.traceHash());
    }
  }
}

package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * What the simulation once found, each as the shortest script that showed it;
 * docs/internals/found-by-simulation.md tells what it was. A script outlives changes of what a seed
 * draws, and is run with a few seeds, since the order of messages still comes from them.
 */
class FoundBySimulationTest {
  private static final long MILLI = 1_000_000;

  private static void staysFixed(String kind, SimScript script) {
    for (long seed = 1; seed <= 3; seed++) {
      assertThat(CoreRun.run(seed, CoreCampaign.options(kind), script).violation())
          .as(kind + " seed " + seed)
          .isNull();
    }
  }

  /** A small device with one client that writes, and main bad in many places. */
  private static SimScript onAgeingMain(SimAction... more) {
    List<SimAction> actions = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      actions.add(new SimAction(0, SimAction.Kind.DEFECT, 0, 17L * i, 0));
    }
    actions.addAll(List.of(more));
    return new SimScript(
        4096,
        512,
        16 * 4096,
        1,
        1,
        List.of(new Workload(4, 200, 0.2, 0.02, 0, 0, 0, 0, 128, 8, 0, false)),
        actions);
  }

  @Test
  void aRelocatorThatIsStoppedGivesItsBuffersBack() {
    staysFixed(
        "daemon",
        onAgeingMain(
            new SimAction(200 * MILLI, SimAction.Kind.STOP_DEVICE, -1, 0, 0),
            new SimAction(400 * MILLI, SimAction.Kind.START_DEVICE, -1, 0, 0)));
  }

  @Test
  void aSpareThatLeftBeforeItsFirstFlushIsNotMissedByTheNext() {
    SimScript one = onAgeingMain();
    staysFixed(
        "daemon",
        new SimScript(
            one.blockBytes(),
            one.sectorBytes(),
            one.deviceBytes(),
            2,
            1,
            one.clients(),
            List.of(
                one.actions().getFirst(),
                new SimAction(25 * MILLI, SimAction.Kind.EVACUATE, -1, 0, 0),
                new SimAction(26 * MILLI, SimAction.Kind.SWAP, 1, 0, 0))));
  }

  @Test
  void aSpareThatLeftInAnEarlierLifeIsNotMissedByTheFirstFlush() {
    // No shorter script was found: a block has to be on the spare in the checkpoint that is loaded.
    Workload some =
        new Workload(
            1,
            266,
            0.26253222420354233,
            0.005,
            0.010798190017953013,
            0.05,
            0.05,
            10,
            118,
            6,
            0,
            false);
    Workload slow =
        new Workload(3, 266, 0.5655480732347055, 0.005, 0, 0.05, 0, 45, 15, 4, 5221710, false);
    Workload flushing =
        new Workload(
            1,
            266,
            0.46341948747722916,
            0.08631849585431525,
            0.27853645691502166,
            0,
            0.05,
            96,
            83,
            21,
            0,
            false);
    SimScript script =
        new SimScript(
            4096,
            512,
            106496,
            2,
            2,
            List.of(some, slow, flushing),
            List.of(
                new SimAction(0, SimAction.Kind.RATE_NEW_DEFECT, 0, 0, 0.009670556634264011),
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 0, 0, 0.003191720513556719),
                new SimAction(0, SimAction.Kind.RATE_FLUSH_FAILS, 0, 0, 0.03677030519622319),
                new SimAction(4320882682L, SimAction.Kind.EVACUATE, -1, 0, 0)));
    SimResult result = CoreRun.run(900026, CoreCampaign.options("daemon"), script);
    assertThat(result.violation()).isNull();
    assertThat(result.coverage().count("event.spare.left")).isPositive();
  }

  @Test
  void aRepairThatCannotReadTheNewestAreaForAMomentDoesNotMakeItsSpareAnOlderOne() {
    // No shorter script was found: single reads and writes have to fail, each at its moment.
    Workload one =
        new Workload(
            1,
            266,
            0.6788948570561169,
            0.10634799939037347,
            0,
            0.05,
            0.05,
            74,
            9,
            28,
            1478960,
            false);
    Workload durable =
        new Workload(
            7,
            266,
            0.6541335738611844,
            0.005,
            0.19092697627580746,
            0,
            0.05,
            10,
            4,
            16,
            1070195,
            false);
    Workload busy =
        new Workload(
            9, 266, 0.4762093944842479, 0.005, 0.46241488473207865, 0, 0, 75, 8, 15, 0, false);
    SimScript script =
        new SimScript(
            16384,
            512,
            65536,
            3,
            2,
            List.of(one, durable, busy),
            List.of(
                new SimAction(0, SimAction.Kind.RATE_STUCK, 1, 0, 5.581345977263844E-4),
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 0, 0, 0.2235335118167146),
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 1, 0, 0.15002096811894597),
                new SimAction(100692121, SimAction.Kind.ADD_SPARE, -1, 0, 0),
                new SimAction(155465960, SimAction.Kind.POWER_CUT, -1, 0, 0)));
    SimResult result = CoreRun.run(20261503, CoreCampaign.options("daemon"), script);
    assertThat(result.violation()).isNull();
    assertThat(result.coverage().count("script.ADD_SPARE")).isPositive();
  }

  @Test
  void copiesThatArePlacedAnewBesideACommitInDoubtDoNotMakeASpareAnOlderOne() {
    Workload one =
        new Workload(
            3, 266, 0.7638779988057866, 0.11169227976073355, 0, 0, 0.05, 0, 2, 8, 0, false);
    Workload busy =
        new Workload(
            9, 266, 0.3460047711119497, 0.03964763410696871, 0, 0.05, 0, 0, 2, 6, 0, false);
    Workload durable =
        new Workload(
            18,
            266,
            0.6669120794129914,
            0.08464792501898859,
            0.2596669724082711,
            0.05,
            0.05,
            0,
            2,
            1,
            0,
            false);
    SimScript script =
        new SimScript(
            4096,
            4096,
            8192,
            3,
            2,
            List.of(one, busy, durable),
            List.of(
                new SimAction(1434680832, SimAction.Kind.STOP, -1, 0, 0),
                new SimAction(3038714722L, SimAction.Kind.DEFECT, 0, 4521402942728856303L, 0),
                new SimAction(4168058663L, SimAction.Kind.STOP, -1, 0, 0),
                new SimAction(4192540382L, SimAction.Kind.HANG, 1, 0, 0),
                new SimAction(5243743466L, SimAction.Kind.EVACUATE, -1, 1, 0),
                new SimAction(10113892233L, SimAction.Kind.POWER_CUT, -1, 0, 0)));
    assertThat(CoreRun.run(20280523, CoreCampaign.options("daemon"), script).violation()).isNull();
  }

  @Test
  void whoStopsADeviceIsAnsweredThoughARepairWasAskedForAndHasNotEnded() {
    Workload durable =
        new Workload(
            2,
            266,
            0.3272843476086574,
            0.005,
            0.45227733201584713,
            0.05,
            0,
            7,
            7,
            53,
            22558,
            false);
    Workload four =
        new Workload(
            4,
            266,
            0.46669875488809065,
            0.005,
            0.029586918206963575,
            0.05,
            0.05,
            14,
            28,
            1,
            21921,
            false);
    Workload eight =
        new Workload(8, 266, 0.2970987891817839, 0.005, 0, 0.05, 0.05, 2, 44, 5, 0, false);
    SimScript script =
        new SimScript(
            8192,
            512,
            25088,
            1,
            2,
            List.of(durable, four, eight),
            List.of(
                new SimAction(0, SimAction.Kind.DEFECT, 0, 754253317896896315L, 0),
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 1, 0, 0.0757942496525126),
                new SimAction(0, SimAction.Kind.RATE_SLOW, 1, 0, 0.12179512019172643),
                new SimAction(2047155628, SimAction.Kind.DEFECT, 0, 4831327028403366488L, 0),
                new SimAction(5708515950L, SimAction.Kind.REPAIR, -1, 0, 0),
                new SimAction(5976894861L, SimAction.Kind.STOP_DEVICE, -1, 0, 0)));
    assertThat(CoreRun.run(20300088, CoreCampaign.options("daemon"), script).violation()).isNull();
  }

  @Test
  void aCopyOfWhichASealCannotBeReadDoesNotSayThatACommitWasNeverDurable() {
    Workload one =
        new Workload(
            4, 266, 0.4186826312390972, 0.09876082010274821, 0, 0.05, 0.05, 0, 2, 6, 11588, false);
    Workload slow =
        new Workload(2, 266, 0.16613795299724463, 0.005, 0, 0, 0, 0, 2, 3, 4123258, false);
    Workload durable =
        new Workload(
            3,
            266,
            0.23280637669283924,
            0.005,
            0.2867040073039188,
            0.05,
            0,
            0,
            2,
            50,
            235627,
            false);
    SimScript script =
        new SimScript(
            8192,
            4096,
            8192,
            1,
            2,
            List.of(one, slow, durable),
            List.of(
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 0, 0, 0.07820685258082678),
                new SimAction(0, SimAction.Kind.RATE_TRANSIENT_MEDIA, 1, 0, 0.09707025327411746),
                new SimAction(1473905582, SimAction.Kind.KILL, -1, 0, 0),
                new SimAction(2666749930L, SimAction.Kind.KILL, -1, 0, 0)));
    assertThat(CoreRun.run(20321776, CoreCampaign.options("writer"), script).violation()).isNull();
  }

  @Test
  void whoDoubtsADiskThatHasGoneMeanwhileIsAnswered() {
    List<SimAction> actions = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      actions.add(new SimAction(0, SimAction.Kind.DEFECT, 0, 17L * i, 0));
    }
    actions.add(new SimAction(208 * MILLI, SimAction.Kind.DISAPPEAR, 1, 0, 0));
    actions.add(new SimAction(1000 * MILLI, SimAction.Kind.REAPPEAR, 1, 0, 0));
    Workload busy = new Workload(16, 1000, 0.7, 0, 1, 0, 0, 0, 128, 8, 0, false);
    staysFixed("daemon", new SimScript(4096, 512, 16 * 4096, 1, 1, List.of(busy, busy), actions));
  }

  @Test
  void aSpareThatComesBackOlderIsNotUsedAgain() {
    returnsOlder("spare.another-state");
  }

  @Test
  void aSpareThatIsOlderAtTheNextStartWaitsForAPerson() {
    returnsOlder("device.failed", new SimAction(231 * MILLI, SimAction.Kind.KILL, -1, 0, 0));
  }

  @Test
  void aSpareThatIsOlderWhenItIsLeftWaitsForAPersonAtTheNextStart() {
    returnsOlder(
        "device.failed",
        new SimAction(235 * MILLI, SimAction.Kind.EVACUATE, -1, 0, 0),
        new SimAction(260 * MILLI, SimAction.Kind.KILL, -1, 0, 0));
  }

  private static void returnsOlder(String event, SimAction... more) {
    List<SimAction> actions = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      actions.add(new SimAction(0, SimAction.Kind.DEFECT, 0, 17L * i, 0));
    }
    actions.add(new SimAction(201 * MILLI, SimAction.Kind.KEEP_IMAGE, 1, 0, 0));
    actions.add(new SimAction(230 * MILLI, SimAction.Kind.RETURN_OLDER, 1, 0, 0));
    actions.addAll(List.of(more));
    actions.add(new SimAction(5000 * MILLI, SimAction.Kind.SCRUB, -1, 0, 0));
    Workload steady = new Workload(4, 400, 0.5, 0.02, 1, 0, 0, 0, 128, 8, 2 * MILLI, true);
    SimScript script = new SimScript(4096, 512, 16 * 4096, 2, 1, List.of(steady, steady), actions);
    for (long seed : new long[] {1, 2}) {
      SimResult result = CoreRun.run(seed, CoreCampaign.options("daemon"), script);
      assertThat(result.violation()).as("seed " + seed).isNull();
      assertThat(result.coverage().count("spare.returnedOlder")).isPositive();
      assertThat(result.coverage().count("event." + event)).isPositive();
    }
  }

  @Test
  void aMainThatWasReplacedIsNotTakenForMainAfterACleanStop() {
    SimResult result =
        CoreRun.run(1000011, CoreCampaign.options("replacing"), Set.of(0, 7, 11, 15), 0);
    assertThat(result.violation()).isNull();
    assertThat(result.coverage().count("replace.switched")).isPositive();
  }

  @Test
  void theWholeDaemonRunsTheSameWayForTheSameSeed() {
    SimScript script = onAgeingMain();
    CoreRun.Options options = CoreCampaign.options("daemon");
    assertThat(CoreRun.run(5, options, script).traceHash())
        .isEqualTo(CoreRun.run(5, options, script).traceHash());
  }
}

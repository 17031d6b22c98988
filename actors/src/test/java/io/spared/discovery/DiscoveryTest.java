package io.spared.discovery;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.discovery.DiscoveryCommand.ScanReport;
import io.spared.discovery.Judgement.Decision;
import io.spared.format.Epoch;
import io.spared.format.Form;
import io.spared.format.Position;
import io.spared.monitor.MonitorCommand;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimWorld;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The real actor on simulated disks and in simulated time. */
class DiscoveryTest {
  private static final DiscoverySettings AUTOMATIC = DiscoverySettings.standard(true, false);
  private static final Duration SOON = Duration.ofMinutes(1);

  private final SimWorld world = new SimWorld(42);
  private final SimProcess process = new SimProcess(world, 1);
  private final SimOpener opener = new SimOpener();
  private final Map<String, SimDrive> drives = new LinkedHashMap<>();
  private final List<BlockDevice> listed = new ArrayList<>();
  private final List<SetUp> activated = new ArrayList<>();
  private final Set<UUID> served = new HashSet<>();
  private final Map<UUID, Position> running = new HashMap<>();
  private int timesRemembered;
  private final Set<String> adopted = new HashSet<>();
  private final List<MonitorCommand> told = new ArrayList<>();
  private final List<ScanReport> reports = new ArrayList<>();
  private final List<DiscoveryCommand.Stopped> stops = new ArrayList<>();
  private final Map<UUID, Remembered> remembered = new HashMap<>();
  private Optional<Boolean> saidByPerson = Optional.empty();
  private boolean ownerAnswers = true;
  private final List<Runnable> heldBack = new ArrayList<>();
  private int taskHeldBack;
  private @Nullable ActorSystem<DiscoveryCommand> started;

  private final Shelf shelf = new Shelf();

  private final HostMemory memory =
      new HostMemory() {
        @Override
        public Contents read() {
          return new Contents(Map.of(), remembered, saidByPerson);
        }

        @Override
        public void remember(Remembered one) {
          timesRemembered++;
          remembered.put(one.deviceId(), one);
        }

        @Override
        public void rememberAdopted(Set<AdoptedDisk> disks) {
          disks.forEach(disk -> adopted.add(disk.serial()));
        }

        @Override
        public void rememberAutomatic(boolean on) {
          saidByPerson = Optional.of(on);
        }
      };

  private void plug(String name, String serial, long sizeBytes) {
    shelf.diskWithWwn(name, sizeBytes, serial);
  }

  /** What stands on the shelf becomes drives of the simulated host. */
  private void connect() {
    shelf.names().forEach(this::connect);
  }

  private void connect(String name) {
    Shelf.Plugged disk = shelf.at(name);
    long sizeBytes = disk.bytes().sizeBytes();
    SimDrive drive =
        new SimDrive(
            world,
            name,
            disk.identity().serial().orElseThrow(),
            new io.spared.ffi.disk.DiskGeometry(sizeBytes, 512, 4096, 512, true, true, 1 << 20));
    disk.bytes().forEachUnit(drive::poke);
    drives.put(name, drive);
    opener.plug(Shelf.address(name), drive);
    listed.add(
        new BlockDevice(
            Shelf.address(name),
            name,
            "8:0",
            sizeBytes,
            false,
            List.of(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty()));
  }

  private void start(DiscoverySettings settings) {
    started = process.start(guardian(settings));
  }

  private ActorSystem<DiscoveryCommand> system() {
    return requireNonNull(started);
  }

  private SimDrive drive(String name) {
    return requireNonNull(drives.get(name));
  }

  private Behavior<DiscoveryCommand> guardian(DiscoverySettings settings) {
    return Behaviors.setup(context -> {
      ActorRef<DiscoveryRequest> owner =
          context.spawn(Behaviors.receiveMessage(this::asked), "owner");
      ActorRef<MonitorCommand> monitor =
          context.spawn(
              Behaviors.receiveMessage(message -> {
                told.add(message);
                return Behaviors.same();
              }),
              "monitor");
      DiscoveryParts parts =
          new DiscoveryParts(
              process.engine(0),
              opener,
              () -> List.copyOf(listed),
              holdingBack(
                  context
                      .getSystem()
                      .dispatchers()
                      .lookup(DispatcherSelector.fromConfig("spared.blocking"))),
              memory,
              monitor,
              Shelf.HOST.hostId());
      ActorRef<DiscoveryCommand> discovery =
          context.spawn(
              Discovery.create(parts, settings, owner), "discovery", SimProcess.dispatcher(0));
      return Behaviors.receiveMessage(message -> {
        discovery.tell(message);
        return Behaviors.same();
      });
    });
  }

  /** As a thread that a dead disk keeps: the task of this number does not come back. */
  private Executor holdingBack(Executor blocking) {
    int[] count = new int[1];
    return task -> {
      if (++count[0] == taskHeldBack) {
        heldBack.add(task);
      } else {
        blocking.execute(task);
      }
    };
  }

  private Behavior<DiscoveryRequest> asked(DiscoveryRequest request) {
    if (!ownerAnswers) {
      return Behaviors.same();
    }
    switch (request) {
      case DiscoveryRequest.WhatIsServed r ->
          r.replyTo().tell(new DiscoveryRequest.Served(served, Set.of(), running));
      case DiscoveryRequest.Activate r -> {
        activated.add(r.setUp());
        served.add(r.setUp().deviceId());
        r.replyTo().tell(new DiscoveryRequest.Activation(true, "begun"));
      }
    }
    return Behaviors.same();
  }

  private ScanReport scan(boolean activate) {
    int before = reports.size();
    ActorRef<ScanReport> collector = collector("report-" + before, reports);
    system().tell(new DiscoveryCommand.Scan("by command", activate, collector));
    assertThat(until(() -> reports.size() > before)).isTrue();
    return reports.get(before);
  }

  private <T> ActorRef<T> collector(String name, List<T> into) {
    return system()
        .systemActorOf(
            Behaviors.receiveMessage(message -> {
              into.add(message);
              return Behaviors.same();
            }),
            name,
            org.apache.pekko.actor.typed.Props.empty());
  }

  private boolean until(BooleanSupplier condition) {
    return world.runUntil(condition, SOON);
  }

  private void makeTank() throws Exception {
    plug("sda", "MAIN-1", Shelf.MAIN_BYTES);
    plug("sdb", "SPARE-1", Shelf.SPARE_BYTES);
    shelf.make("tank", Form.ADOPT, "sda", "sdb");
  }

  private int openHandles() {
    return drives.values().stream().mapToInt(SimDrive::openHandles).sum();
  }

  private long audits() {
    return told.stream().filter(MonitorCommand.Audit.class::isInstance).count();
  }

  @Test
  void aSetUpIsActivatedByItselfAfterTheDelayAndOnlyOnce() throws Exception {
    makeTank();
    connect();
    start(AUTOMATIC);

    assertThat(until(() -> !activated.isEmpty())).isTrue();
    assertThat(world.nowNanos()).isGreaterThan(AUTOMATIC.delay().toNanos());
    ScanReport again = scan(true);

    assertThat(activated).extracting(SetUp::name).containsExactly("tank");
    assertThat(again.judgements())
        .extracting(Judgement::decision)
        .containsExactly(Decision.ALREADY_ACTIVE);
    assertThat(remembered).hasSize(1);
    assertThat(adopted).containsExactly("MAIN-1");
    assertThat(until(() -> openHandles() == 0)).isTrue();
    assertThat(process.buffersTaken()).isZero();
  }

  @Test
  void everyDecisionIsWrittenToTheAuditLogOnceWithItsEvidence() throws Exception {
    makeTank();
    connect();
    shelf.unplug("sda");
    opener.unplug(Shelf.address("sda"));
    listed.removeIf(device -> device.kernelName().equals("sda"));
    start(AUTOMATIC);
    scan(true);
    assertThat(until(() -> audits() == 1)).isTrue();
    scan(true);
    world.runFor(SOON);

    assertThat(audits()).isEqualTo(1);
    assertThat(told)
        .anyMatch(message ->
            message instanceof MonitorCommand.Audit audit
                && audit.outcome().contains("copies 40 of 40")
                && audit.outcome().contains("main disk"));
  }

  @Test
  void aDryRunDecidesAndDoesNothing() throws Exception {
    makeTank();
    connect();
    start(DiscoverySettings.standard(false, false));

    ScanReport report = scan(false);

    assertThat(report.judgements())
        .extracting(Judgement::decision)
        .containsExactly(Decision.ACTIVATE);
    assertThat(report.activated()).isEmpty();
    assertThat(activated).isEmpty();
  }

  @Test
  void theKernelsCommandLineOutranksConfigurationAndCommand() throws Exception {
    makeTank();
    connect();
    start(DiscoverySettings.standard(true, true));
    List<DiscoveryCommand.AutomaticSet> answers = new ArrayList<>();
    system().tell(new DiscoveryCommand.SetAutomatic(true, "test", collector("answers", answers)));
    scan(true);

    assertThat(until(() -> !answers.isEmpty())).isTrue();
    assertThat(answers.get(0).on()).isFalse();
    assertThat(answers.get(0).sentence()).contains("spared.activate=0");
    assertThat(activated).isEmpty();
  }

  @Test
  void aPersonSwitchesItOnAndTheSetUpIsActivatedAtOnce() throws Exception {
    makeTank();
    connect();
    start(DiscoverySettings.standard(false, false));
    scan(true);
    assertThat(activated).isEmpty();

    system()
        .tell(
            new DiscoveryCommand.SetAutomatic(
                true, "test", collector("answers", new ArrayList<>())));

    assertThat(until(() -> activated.size() == 1)).isTrue();
    assertThat(saidByPerson).contains(true);
  }

  @Test
  void aDiskThatComesLateIsFoundByItsUevent() throws Exception {
    makeTank();
    connect("sdb");
    start(AUTOMATIC);
    assertThat(scan(true).judgements())
        .extracting(Judgement::decision)
        .containsExactly(Decision.WAIT);
    connect("sda");

    system().tell(new DiscoveryCommand.DiskChanged("sda"));

    assertThat(until(() -> activated.size() == 1)).isTrue();
  }

  @Test
  void aDeviceThatStartedWithoutDiscoveryIsRememberedOnceForEachStart() {
    UUID deviceId = new UUID(3, 4);
    start(DiscoverySettings.standard(false, false));
    world.runFor(SOON);
    assertThat(remembered).isEmpty();

    Position first = new Position(new Epoch(5, 77), 100);
    running.put(deviceId, first);
    assertThat(until(() -> !remembered.isEmpty())).isTrue();
    running.put(deviceId, new Position(first.epoch(), 101));
    world.runFor(SOON);

    assertThat(remembered.values()).containsExactly(new Remembered(deviceId, first));
    assertThat(timesRemembered).isEqualTo(1);

    Position second = new Position(new Epoch(6, 78), 102);
    running.put(deviceId, second);
    assertThat(until(() -> timesRemembered == 2)).isTrue();
    assertThat(remembered.values()).containsExactly(new Remembered(deviceId, second));
  }

  @Test
  void aUeventDoesNotShortenTheDelayAfterTheStart() throws Exception {
    makeTank();
    connect();
    start(AUTOMATIC);

    system().tell(new DiscoveryCommand.DiskChanged("sda"));

    assertThat(until(() -> !activated.isEmpty())).isTrue();
    assertThat(world.nowNanos()).isGreaterThan(AUTOMATIC.delay().toNanos());
  }

  @Test
  void aDiskThatComesAndGoesAllTheTimeDoesNotHideOneThatComesOnce() throws Exception {
    makeTank();
    connect("sdb");
    start(AUTOMATIC);
    scan(true);
    world.runFor(Duration.ofMinutes(30));
    connect("sda");

    long begun = world.nowNanos();
    while (activated.isEmpty() && world.nowNanos() - begun < SOON.toNanos()) {
      system().tell(new DiscoveryCommand.DiskChanged("sdz"));
      world.runFor(AUTOMATIC.settle().dividedBy(2));
    }

    assertThat(activated).extracting(SetUp::name).containsExactly("tank");
  }

  @Test
  void anEmptyLoopDeviceIsNotSpokenOfAndADriveWithoutAMediumIs() throws Exception {
    makeTank();
    connect();
    listed.add(empty("loop3"));
    listed.add(empty("sr0"));
    listed.add(empty("sdc"));
    start(AUTOMATIC);

    ScanReport report = scan(true);

    assertThat(report.leftAlone()).noneMatch(line -> line.contains("loop3"));
    assertThat(report.leftAlone()).anyMatch(line -> line.contains("sr0"));
    assertThat(report.leftAlone()).anyMatch(line -> line.contains("sdc: it has no medium"));
  }

  private static BlockDevice empty(String name) {
    return new BlockDevice(
        Shelf.address(name),
        name,
        "7:3",
        0,
        false,
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  @Test
  void aDiskThatComesLongAfterAllRetriesIsSeenInTheSystemsList() throws Exception {
    makeTank();
    connect("sdb");
    start(AUTOMATIC);
    scan(true);
    world.runFor(Duration.ofMinutes(30));
    connect("sda");

    assertThat(until(() -> activated.size() == 1)).isTrue();
  }

  @Test
  void aDiskThatComesLateWithoutAUeventIsFoundByARetry() throws Exception {
    makeTank();
    connect("sdb");
    start(AUTOMATIC);
    scan(true);
    connect("sda");

    assertThat(until(() -> activated.size() == 1)).isTrue();
  }

  @Test
  void aDiskThatNeverAnswersDelaysTheScanByItsDeadlineAndNoMore() throws Exception {
    makeTank();
    plug("sdz", "DEAD", Shelf.MAIN_BYTES);
    connect();
    drive("sdz").hang();
    start(AUTOMATIC);
    long begun = world.nowNanos();

    ScanReport report = scan(true);

    assertThat(activated).extracting(SetUp::name).containsExactly("tank");
    assertThat(report.leftAlone()).anyMatch(line -> line.contains("sdz"));
    assertThat(world.nowNanos() - begun)
        .isLessThan(AUTOMATIC.probeDeadline().plusSeconds(2).toNanos());
    drive("sdz").answerStuck();
    assertThat(until(() -> process.buffersTaken() == 0)).isTrue();
  }

  @Test
  void aDiskWhoseOpenNeverReturnsTakesOneThreadAndNotOneMoreWithEveryScan() throws Exception {
    makeTank();
    plug("sdz", "DEAD", Shelf.MAIN_BYTES);
    connect();
    // The list first, then one task for each of the three disks.
    taskHeldBack = 4;
    start(AUTOMATIC);

    ScanReport first = scan(true);
    ScanReport second = scan(true);

    assertThat(first.leftAlone()).anyMatch(line -> line.contains("sdz did not answer"));
    assertThat(second.leftAlone()).anyMatch(line -> line.contains("sdz: it still does not"));
    assertThat(activated).extracting(SetUp::name).containsExactly("tank");
    heldBack.forEach(Runnable::run);
    assertThat(until(() -> openHandles() == 0)).isTrue();
    assertThat(scan(true).lookedAt()).isEqualTo(3);
  }

  @Test
  void withoutWordOfWhatIsServedNothingIsOpened() throws Exception {
    makeTank();
    connect();
    ownerAnswers = false;
    start(AUTOMATIC);

    ScanReport report = scan(true);

    assertThat(report.complete()).isFalse();
    assertThat(drives.values()).allMatch(drive -> drive.transfers() == 0);
  }

  @Test
  void aShutdownInTheMiddleClosesEveryDiskAndActivatesNothing() throws Exception {
    makeTank();
    connect();
    drive("sda").hang();
    drive("sdb").hang();
    start(AUTOMATIC);
    ActorRef<ScanReport> asker = collector("asker", reports);
    system().tell(new DiscoveryCommand.Scan("by command", true, asker));
    assertThat(until(() -> openHandles() == 2)).isTrue();

    system().tell(new DiscoveryCommand.Stop(collector("stops", stops)));

    assertThat(until(() -> !stops.isEmpty())).isTrue();
    assertThat(reports).singleElement().matches(report -> !report.complete());
    assertThat(openHandles()).isZero();
    world.runFor(SOON);
    assertThat(activated).isEmpty();
  }

  @Test
  void unreadablePlacesOfADiskDoNotHideTheRest() throws Exception {
    makeTank();
    connect();
    drive("sdb").addDefect(0, 8, SimDrive.Defect.UNREADABLE);
    start(AUTOMATIC);

    ScanReport report = scan(true);

    assertThat(activated).hasSize(1);
    assertThat(report.leftAlone()).anyMatch(line -> line.contains("sdb"));
  }
}

package io.spared.app.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisks;
import io.spared.device.CleanStops;
import io.spared.discovery.BlockDevice;
import io.spared.discovery.Discovery;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.DiscoveryParts;
import io.spared.discovery.DiscoveryRequest;
import io.spared.discovery.DiscoverySettings;
import io.spared.discovery.Judgement;
import io.spared.discovery.Judgement.Decision;
import io.spared.discovery.Remembered;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.ffi.engine.LoopDevice;
import io.spared.format.Epoch;
import io.spared.format.Form;
import io.spared.format.Owner;
import io.spared.format.Position;
import io.spared.ring.Ring;
import io.spared.ring.SystemRings;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the judge decides in memory, decided by the whole of discovery over real files and loop
 * devices, which real tools have copied, cut and exchanged. Only these are looked at.
 */
@Timeout(60)
final class DiscoveryOnDisksTest {
  private static final Owner HOST = new Owner(new UUID(3, 4), "here");
  private static final long MAIN_BYTES = 16L << 20;
  private static final long SPARE_BYTES = 32L << 20;

  @TempDir Path directory;

  private final Set<UUID> served = ConcurrentHashMap.newKeySet();
  private final List<String> activated = new CopyOnWriteArrayList<>();
  private final ActorSystem<Void> system;
  private final Ring ring;

  DiscoveryOnDisksTest() {
    this.system = ActorSystem.create(Behaviors.empty(), "discover", ConfigFactory.load());
    this.ring = SystemRings.start(system).ring(0);
  }

  @BeforeEach
  void makeSetUp() throws Exception {
    directory = directory.toRealPath();
    make("tank", Form.ADOPT, disk("main", MAIN_BYTES), disk("spare", SPARE_BYTES));
  }

  @AfterEach
  void end() throws Exception {
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  @Test
  void aSetUpIsFoundAndActivatedOnce() throws Exception {
    assertThat(only(scan(true, "main", "spare")).decision()).isEqualTo(Decision.ACTIVATE);
    assertThat(only(scan(true, "main", "spare")).decision()).isEqualTo(Decision.ALREADY_ACTIVE);
    assertThat(activated).containsExactly("tank");
  }

  @Test
  void disksWithoutMetadataAreNoSetUp() throws Exception {
    disk("blank", MAIN_BYTES);
    assertThat(scan(true, "main", "blank").judgements()).isEmpty();
  }

  @Test
  void aCopyOfTheWholeSetUpForbidsBoth() throws Exception {
    copy("main", "main-copy");
    copy("spare", "spare-copy");
    assertForbidden("main", "spare", "main-copy", "spare-copy");
  }

  @Test
  void aSpareCopiedWithDdForbids() throws Exception {
    String copy =
        LoopDevice.run(
            List.of("dd", "if=" + path("spare"), "of=" + path("copy"), "bs=1M", "conv=fsync"));
    assertThat(copy).contains("records out");
    assertForbidden("main", "spare", "copy");
  }

  @Test
  void aTruncatedMainAndATruncatedSpareAreNotTheirOwn() throws Exception {
    copy("spare", "kept");
    cut("spare", SPARE_BYTES - (1 << 20));
    assertNotActivated("main", "spare");
    Files.move(path("kept"), path("spare"), StandardCopyOption.REPLACE_EXISTING);
    cut("main", MAIN_BYTES - (1 << 20));
    assertNotActivated("main", "spare");
  }

  @Test
  void aDiskOfTheRightSizeThatIsAnotherIsNotMain() throws Exception {
    disk("other", MAIN_BYTES);
    assertNotActivated("other", "spare");
  }

  @Test
  void aMissingMainAndAMissingSpareAreWaitedFor() throws Exception {
    assertThat(only(scan(true, "spare")).decision()).isEqualTo(Decision.WAIT);
    assertThat(scan(true, "main").judgements()).isEmpty();
    assertThat(activated).isEmpty();
  }

  @Test
  void aSpareFromBeforeTheLastRunIsOlderThanWhatThisHostRemembers() throws Exception {
    copy("spare", "old");
    Judgement now = only(scan(false, "main", "spare"));
    Position found = now.setUp().orElseThrow().position();
    new MemoryFiles(directory.resolve("memory"), CleanStops.inMemory())
        .remember(
            new Remembered(
                now.deviceId(),
                new Position(new Epoch(found.epoch().counter() + 1, 5), found.sequence() + 7)));
    assertNotActivated("main", "old");
  }

  @Test
  void aShutdownInTheMiddleActivatesNothing() throws Exception {
    ActorRef<DiscoveryCommand> discovery = discovery(true, "main", "spare");
    discovery.tell(new DiscoveryCommand.Scan("test", true, system.ignoreRef()));
    CompletionStage<DiscoveryCommand.Stopped> stop =
        AskPattern.ask(
            discovery, DiscoveryCommand.Stop::new, Duration.ofSeconds(20), system.scheduler());
    assertThat(stop.toCompletableFuture().get(20, TimeUnit.SECONDS).abandoned()).isEmpty();
    assertThat(activated).isEmpty();
  }

  @Test
  void labelledLoopDevicesAreFoundAlsoWithTheirCablesExchanged() throws Exception {
    Path mainFile = disk("loop-main", MAIN_BYTES);
    Path spareFile = disk("loop-spare", SPARE_BYTES);
    LoopDevice main = LoopDevice.over(mainFile);
    LoopDevice spare = LoopDevice.over(spareFile);
    try {
      make("looped", Form.LABELLED, main.path(), spare.path());
      Judgement found = only(scan(false, List.of(block(main.path()), block(spare.path()))));
      assertThat(found.name()).isEqualTo("looped");
      assertThat(found.contradictions()).isEmpty();
    } finally {
      main.close();
      spare.close();
    }
    // Each gets the other's place.
    LoopDevice first = LoopDevice.over(spareFile);
    LoopDevice second = LoopDevice.over(mainFile);
    try {
      Judgement found = only(scan(false, List.of(block(first.path()), block(second.path()))));
      assertThat(found.contradictions()).isEmpty();
      assertThat(found.setUp().orElseThrow().main().toString()).isEqualTo(second.path().toString());
      assertThat(found.setUp().orElseThrow().spares())
          .extracting(DiskAddress::toString)
          .containsExactly(first.path().toString());
    } finally {
      first.close();
      second.close();
    }
  }

  // The set-ups.

  private Path path(String name) {
    return directory.resolve(name);
  }

  private Path disk(String name, long bytes) throws IOException {
    Path path = path(name);
    Files.deleteIfExists(path);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(bytes);
    }
    return path;
  }

  private static void make(String name, Form form, Path main, Path spare) throws Exception {
    try (OfflineDisks disks = new OfflineDisks()) {
      assertThat(
              new Creation(
                      disks,
                      new Creation.Request(
                          name,
                          main.toString(),
                          List.of(spare.toString()),
                          form,
                          4096,
                          5,
                          false,
                          HOST))
                  .make()
                  .image()
                  .name())
          .isEqualTo(name);
    }
  }

  private void copy(String from, String to) throws IOException {
    assertThat(Files.copy(path(from), path(to))).exists();
  }

  private void cut(String name, long bytes) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path(name).toFile(), "rw")) {
      file.setLength(bytes);
    }
  }

  // Looking.

  private static Judgement only(DiscoveryCommand.ScanReport report) {
    assertThat(report.judgements()).hasSize(1);
    return report.judgements().get(0);
  }

  private void assertForbidden(String... names) throws Exception {
    assertThat(scan(true, names).judgements())
        .isNotEmpty()
        .allMatch(judgement -> judgement.decision() == Decision.FORBIDDEN);
    assertThat(activated).isEmpty();
  }

  private void assertNotActivated(String... names) throws Exception {
    assertThat(scan(true, names).judgements())
        .noneMatch(judgement -> judgement.decision() == Decision.ACTIVATE);
    assertThat(activated).isEmpty();
  }

  private DiscoveryCommand.ScanReport scan(boolean activate, String... names) throws Exception {
    return scan(activate, files(names));
  }

  private List<BlockDevice> files(String... names) throws IOException {
    List<BlockDevice> devices = new ArrayList<>();
    for (String name : names) {
      devices.add(BlockDevice.file(new DiskAddress.OfPath(path(name)), Files.size(path(name))));
    }
    return devices;
  }

  private static BlockDevice block(Path loop) {
    String name = String.valueOf(loop.getFileName());
    return new SystemCatalog(List.of())
        .list().stream().filter(d -> d.kernelName().equals(name)).findFirst().orElseThrow();
  }

  private DiscoveryCommand.ScanReport scan(boolean activate, List<BlockDevice> devices)
      throws Exception {
    ActorRef<DiscoveryCommand> discovery = discovery(activate, devices);
    return AskPattern.<DiscoveryCommand, DiscoveryCommand.ScanReport>ask(
            discovery,
            replyTo -> new DiscoveryCommand.Scan("test", activate, replyTo),
            Duration.ofSeconds(20),
            system.scheduler())
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  private ActorRef<DiscoveryCommand> discovery(boolean activate, String... names)
      throws IOException {
    return discovery(activate, files(names));
  }

  private ActorRef<DiscoveryCommand> discovery(boolean activate, List<BlockDevice> devices) {
    DiscoverySettings standard = DiscoverySettings.standard(activate, false);
    DiscoverySettings settings =
        new DiscoverySettings(
            activate,
            false,
            standard.threshold(),
            Duration.ofHours(1),
            standard.retries(),
            standard.settle(),
            standard.probeDeadline(),
            standard.probesAtOnce(),
            Duration.ofSeconds(20),
            Duration.ofHours(1));
    Behavior<DiscoveryRequest> owner = Behaviors.receiveMessage(this::asked);
    return system.systemActorOf(
        Discovery.create(
            new DiscoveryParts(
                ring.engine(),
                new SystemDiskOpener(),
                () -> devices,
                system.dispatchers().lookup(DispatcherSelector.fromConfig("spared.blocking")),
                new MemoryFiles(directory.resolve("memory"), CleanStops.inMemory()),
                system.systemActorOf(Behaviors.ignore(), name("monitor"), Props.empty()),
                HOST.hostId()),
            settings,
            system.systemActorOf(owner, name("owner"), Props.empty())),
        name("discovery"),
        ring.dispatcher());
  }

  private int named;

  private String name(String of) {
    return of + "-" + ++named;
  }

  private Behavior<DiscoveryRequest> asked(DiscoveryRequest request) {
    switch (request) {
      case DiscoveryRequest.WhatIsServed what ->
          what.replyTo().tell(new DiscoveryRequest.Served(Set.copyOf(served), Set.of()));
      case DiscoveryRequest.Activate activate -> {
        activated.add(activate.setUp().name());
        served.add(activate.setUp().deviceId());
        activate.replyTo().tell(new DiscoveryRequest.Activation(true, "begun"));
      }
    }
    return Behaviors.same();
  }
}

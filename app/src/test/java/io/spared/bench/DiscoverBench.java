package io.spared.bench;

import com.typesafe.config.ConfigFactory;
import io.spared.app.discovery.MemoryFiles;
import io.spared.app.discovery.SystemCatalog;
import io.spared.device.CleanStops;
import io.spared.discovery.BlockDevice;
import io.spared.discovery.Discovery;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.DiscoveryParts;
import io.spared.discovery.DiscoveryRequest;
import io.spared.discovery.DiscoverySettings;
import io.spared.discovery.Judgement;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.monitor.MonitorCommand;
import io.spared.ring.Ring;
import io.spared.ring.SystemRings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * How long one scan takes over a thousand set-ups on files: from asking to the last one being
 * handed over for activation. The actor, the rings, the opener, the format and the files are real;
 * the host that would assemble the devices is not part of it and accepts everything at once. Half
 * as many set-ups are measured too, to see that the cost grows in proportion.
 */
public final class DiscoverBench implements Benchmark {
  private static final int SET_UPS = 1000;
  private static final double WANTED_S = 10;

  /** Twice the set-ups in at most this many times the time. */
  private static final double GROWTH_WANTED = 2.6;

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    Path directory =
        Files.createTempDirectory(
            Path.of(System.getenv().getOrDefault("SPARED_ROOT", "."), "app/target"), "discover-");
    try {
      long begin = System.nanoTime();
      List<Path> files = new ArrayList<>();
      for (int i = 0; i < SET_UPS; i++) {
        files.addAll(FileSetUp.make(directory, i));
      }
      System.out.printf("%d set-ups made in %.1f s%n", SET_UPS, seconds(begin));
      int rounds = arguments.quick() ? 1 : 3;
      double half = median(files.subList(0, files.size() / 2), SET_UPS / 2, rounds, directory);
      double whole = median(files, SET_UPS, rounds, directory);
      figures.atMost("discover_1000", whole, "s", WANTED_S);
      figures.atMost("discover_growth_500_to_1000", whole / half, "ratio", GROWTH_WANTED);
    } finally {
      try (var all = Files.walk(directory)) {
        for (Path file : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static double seconds(long begin) {
    return (System.nanoTime() - begin) / 1e9;
  }

  private static double median(List<Path> files, int setUps, int rounds, Path directory)
      throws IOException, InterruptedException, ExecutionException, TimeoutException {
    double[] times = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      times[i] = scan(files, setUps, directory.resolve("memory-" + setUps + "-" + i));
      System.out.printf("%5d set-ups, %5d files: %6.2f s%n", setUps, files.size(), times[i]);
    }
    java.util.Arrays.sort(times);
    return times[rounds / 2];
  }

  private static double scan(List<Path> files, int setUps, Path memory)
      throws IOException, InterruptedException, ExecutionException, TimeoutException {
    ActorSystem<Void> system =
        ActorSystem.create(Behaviors.empty(), "discover", ConfigFactory.load());
    try {
      Ring ring = SystemRings.start(system).ring(0);
      Behavior<DiscoveryRequest> accepting = Behaviors.receiveMessage(DiscoverBench::accept);
      ActorRef<MonitorCommand> monitor =
          system.systemActorOf(Behaviors.ignore(), "monitor", Props.empty());
      SystemCatalog catalog = new SystemCatalog(files);
      DiscoveryParts parts =
          new DiscoveryParts(
              ring.engine(),
              new SystemDiskOpener(),
              () -> catalog.list().stream().filter(DiscoverBench::isFile).toList(),
              system.dispatchers().lookup(DispatcherSelector.fromConfig("spared.blocking")),
              new MemoryFiles(memory, CleanStops.inMemory()),
              monitor,
              FileSetUp.HOST.hostId());
      DiscoverySettings standard = DiscoverySettings.standard(true, false);
      DiscoverySettings settings =
          new DiscoverySettings(
              true,
              false,
              standard.threshold(),
              Duration.ofHours(1),
              standard.retries(),
              standard.settle(),
              standard.probeDeadline(),
              standard.probesAtOnce(),
              Duration.ofSeconds(60),
              Duration.ofHours(1));
      ActorRef<DiscoveryCommand> discovery =
          system.systemActorOf(
              Discovery.create(
                  parts, settings, system.systemActorOf(accepting, "owner", Props.empty())),
              "discovery",
              ring.dispatcher());
      long begin = System.nanoTime();
      DiscoveryCommand.ScanReport report =
          AskPattern.<DiscoveryCommand, DiscoveryCommand.ScanReport>ask(
                  discovery,
                  replyTo -> new DiscoveryCommand.Scan("bench", true, replyTo),
                  Duration.ofMinutes(5),
                  system.scheduler())
              .toCompletableFuture()
              .get(5, TimeUnit.MINUTES);
      double took = seconds(begin);
      awaitRemembered(memory, report.activated().size());
      if (report.activated().size() != setUps) {
        throw new IOException(
            report.activated().size()
                + " of "
                + setUps
                + " were activated; one that was not: "
                + report.judgements().stream()
                    .filter(j -> j.decision() != Judgement.Decision.ACTIVATE)
                    .findFirst()
                    .map(Judgement::line)
                    .orElse(String.join("; ", report.leftAlone())));
      }
      return took;
    } finally {
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(30, TimeUnit.SECONDS);
    }
  }

  /** What is remembered is written beside the scan, and must be done before its place goes away. */
  private static void awaitRemembered(Path memory, int count) throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (System.nanoTime() < deadline) {
      try (var files = Files.list(memory)) {
        if (files.filter(file -> file.toString().endsWith(".ran")).count() >= count) {
          return;
        }
      }
      LockSupport.parkNanos(10_000_000);
    }
    throw new IOException("what was activated is not remembered within 60 s");
  }

  /** Only the bench's own files: the machine's disks are none of its business. */
  private static boolean isFile(BlockDevice device) {
    return device.address() instanceof DiskAddress.OfPath path && !path.path().startsWith("/dev");
  }

  private static Behavior<DiscoveryRequest> accept(DiscoveryRequest request) {
    switch (request) {
      case DiscoveryRequest.WhatIsServed what ->
          what.replyTo().tell(new DiscoveryRequest.Served(Set.<UUID>of(), Set.of()));
      case DiscoveryRequest.Activate activate ->
          activate.replyTo().tell(new DiscoveryRequest.Activation(true, "begun"));
    }
    return Behaviors.same();
  }
}

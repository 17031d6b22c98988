package io.spared.discovery;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** One scan while it is made: what is known so far, and who wants to hear of it. */
final class ScanRun {
  final long number;
  final String why;
  final boolean activate;
  final List<ActorRef<DiscoveryCommand.ScanReport>> askers = new ArrayList<>();
  final ArrayDeque<BlockDevice> toProbe = new ArrayDeque<>();
  final Map<Long, DiskProbe> probes = new LinkedHashMap<>();
  final List<DiskFinding> found = new ArrayList<>();
  final List<String> leftAlone = new ArrayList<>();
  final List<String> activated = new ArrayList<>();
  final List<String> refused = new ArrayList<>();
  List<Judgement> judgements = List.of();
  int activationsAwaited;
  boolean probing;
  boolean judging;
  boolean answering;
  private @Nullable List<BlockDevice> devices;
  private HostMemory.@Nullable Contents memory;
  private DiscoveryRequest.@Nullable Served served;

  ScanRun(long number, String why, boolean activate) {
    this.number = number;
    this.why = why;
    this.activate = activate;
  }

  void listed(List<BlockDevice> listed, HostMemory.Contents contents) {
    devices = listed;
    memory = contents;
  }

  void served(DiscoveryRequest.Served now) {
    served = now;
  }

  boolean isPrepared() {
    return devices != null && served != null;
  }

  HostMemory.Contents memory() {
    HostMemory.Contents contents = memory;
    if (contents == null) {
      throw new IllegalStateException("nothing is listed yet");
    }
    return contents;
  }

  DiscoveryRequest.Served served() {
    DiscoveryRequest.Served now = served;
    if (now == null) {
      throw new IllegalStateException("nobody said yet what is served");
    }
    return now;
  }

  /** Sorts the listed disks into those to read and those to leave alone. */
  void choose() {
    List<BlockDevice> listed = devices;
    if (listed == null) {
      throw new IllegalStateException("nothing is listed yet");
    }
    probing = true;
    for (BlockDevice device : listed) {
      if (Eligibility.isEmptyPlace(device)) {
        continue;
      }
      Eligibility.obstacle(device, served().names())
          .ifPresentOrElse(
              why -> leftAlone.add(device.address() + ": " + why), () -> toProbe.add(device));
    }
  }

  DiscoveryCommand.ScanReport report(boolean automatic, boolean complete) {
    List<String> sentences = new ArrayList<>(leftAlone);
    sentences.addAll(refused);
    return new DiscoveryCommand.ScanReport(
        why, judgements, found.size(), sentences, activated, automatic, complete);
  }
}

package io.spared.discovery;

import io.spared.format.Position;
import java.util.List;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/** What discovery is told and asked. Every question is answered once. */
public sealed interface DiscoveryCommand permits DiscoveryCommand.Public, DiscoveryNews {

  /** From others. */
  sealed interface Public extends DiscoveryCommand {}

  /**
   * Look at all disks now.
   *
   * @param why for people and the audit log, such as "by command"
   * @param activate false for a dry run: every decision is made and shown, and none carried out
   */
  record Scan(String why, boolean activate, ActorRef<ScanReport> replyTo) implements Public {}

  /** A disk came, changed or went (a uevent). Several in quick succession are one scan. */
  record DiskChanged(String kernelName) implements Public {}

  /** The last scan, without looking again. */
  record GetReport(ActorRef<ScanReport> replyTo) implements Public {}

  /**
   * Switch automatic activation on or off while running. Remembered over restarts, where that can
   * be written; what the kernel's command line switches off stays off.
   */
  record SetAutomatic(boolean on, String who, ActorRef<AutomaticSet> replyTo) implements Public {}

  /** A device was started, by whomever, from this state: older ones have been left behind. */
  record Ran(UUID deviceId, Position position) implements Public {}

  /** End: give up what is being read, close all disks. Answered when none is open any more. */
  record Stop(ActorRef<Stopped> replyTo) implements Public {}

  /**
   * A scan and what came of it.
   *
   * @param judgements one for each set-up
   * @param lookedAt disks that were read
   * @param leftAlone disks that were not, or that could not be, one sentence each
   * @param activated the names of devices that were asked to start
   * @param complete false for a scan that could not be made, with the reason in leftAlone
   */
  record ScanReport(
      String why,
      List<Judgement> judgements,
      int lookedAt,
      List<String> leftAlone,
      List<String> activated,
      boolean automatic,
      boolean complete) {
    public ScanReport {
      judgements = List.copyOf(judgements);
      leftAlone = List.copyOf(leftAlone);
      activated = List.copyOf(activated);
    }
  }

  /** How automatic activation stands now, and why. */
  record AutomaticSet(boolean on, String sentence) {}

  /**
   * Discovery has ended.
   *
   * @param abandoned disks that did not answer and are closed when they do
   */
  record Stopped(List<String> abandoned) {
    public Stopped {
      abandoned = List.copyOf(abandoned);
    }
  }
}

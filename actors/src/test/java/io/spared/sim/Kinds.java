package io.spared.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The kinds of runs, and what a long campaign of all of them has to reach. */
final class Kinds {
  static final List<String> ALL = List.of("queues", "writer", "copies", "daemon", "replacing");

  /** Recovery paths, outcomes and faults: a campaign that misses one has not looked there. */
  private static final List<String> WANTED =
      List.of(
          "client.READ.EIO",
          "client.READ.ETIMEDOUT",
          "client.WRITE.EIO",
          "client.WRITE.ETIMEDOUT",
          "client.WRITE.ESHUTDOWN",
          "client.FLUSH.EIO",
          "adversary.destroys.0",
          "adversary.destroys.1",
          "adversary.destroys.2",
          "adversary.destroys.3",
          "adversary.destroys.4",
          "adversary.veils.3",
          "adversary.veils.4",
          "commit.COMMITTED",
          "commit.INDETERMINATE",
          "commit.NOT_DONE",
          "disk.notProved",
          "disk.proved",
          "fault.defect.DEAD",
          "fault.defect.UNREADABLE",
          "fault.defect.UNREADABLE_UNTIL_WRITTEN",
          "fault.defect.UNWRITABLE",
          "fault.defect.WEAK",
          "fault.disappear",
          "fault.flushFails",
          "fault.hang",
          "fault.powerCut",
          "fault.reappear",
          "fault.slow",
          "fault.stall",
          "fault.stuck",
          "fault.transientMedia",
          "fault.transport",
          "io.cancelledAndHeld",
          "io.cancelledAndTakenBack",
          "io.timedOutAndHeld",
          "io.timedOutAndTakenBack",
          "keeper.abandonsQueues",
          "keeper.fenced",
          "keeper.waitsForDisk.BUSY",
          "keeper.waitsForDisk.MISSING",
          "metadata.maybeKept",
          "metadata.maybeLost",
          "alerts.asThereAreTroubles",
          "alerts.none",
          "device.ACTIVE-DEGRADED",
          "device.DEGRADED-ACTIVE",
          // Not ACTIVE-FAILED: a running device fails when it meets another's copy (invariant 6),
          // and
          // it meets it when it repairs its own, for which it is degraded.
          "device.DEGRADED-FAILED",
          "device.FAILED-ACTIVE",
          "device.NEW-ASSEMBLING",
          "discovery.Activate",
          "event.block.pending",
          "event.copy.damaged",
          "event.copy.repaired",
          "event.disk.health",
          "event.remap.committed",
          "event.slot.retired",
          "event.spare.added",
          "queue.DoubtEnded",
          "queue.FlushFailed",
          "queue.InDoubt",
          "queue.ReadFault",
          "queue.WriteWaits",
          "relocator.BlockMoved",
          "relocator.BlockPending",
          "relocator.BlockRefusesWrites",
          "relocator.GiveBackSlot",
          "relocator.MoveFailed",
          "relocator.ReleaseSlot",
          "relocator.RetireSlot",
          "rival.serves",
          "rival.waits",
          "spare.returnedOlder",
          "moment.CUT_AFTER_CHECKPOINT",
          "moment.CUT_AFTER_COMMIT",
          "copy.foreign",
          "copies.compared",
          "neighbour.byItself",
          "neighbour.onSameSpares",
          "script.ADD_SPARE",
          "script.KILL",
          "script.POWER_CUT",
          "script.TAKE_OVER",
          "script.EVACUATE",
          "script.REMOVE_DEVICE",
          "script.RIVAL",
          "script.STOP",
          "script.SWAP",
          "script.REPLACE",
          "replace.switched",
          "replace.resumed",
          "takeOver.awake",
          "takeOver.meetsNewer");

  private Kinds() {}

  static SimResult run(String kind, long seed) {
    return CoreRun.run(seed, CoreCampaign.options(kind), null, 0);
  }

  static SimResult run(String kind, long seed, @Nullable Set<Integer> only) {
    return CoreRun.run(seed, CoreCampaign.options(kind), only, 0);
  }

  static String explain(String kind, long seed, @Nullable Set<Integer> only) {
    return CoreCampaign.explain(kind, seed, only);
  }

  static List<String> never(Coverage coverage) {
    List<String> never = new ArrayList<>();
    for (String name : WANTED) {
      if (coverage.count(name) == 0) {
        never.add(name);
      }
    }
    return never;
  }
}

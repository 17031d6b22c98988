package io.spared.device;

import io.spared.disk.DiskReport;
import io.spared.evacuation.EvacuatorRequest;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.CleanStop;
import io.spared.format.Position;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import io.spared.queue.QueueReport;
import io.spared.relocation.RelocatorRequest;
import io.spared.replacement.CopierRequest;
import io.spared.scrub.ScrubberRequest;
import io.spared.spare.SpareReply;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * What reaches a device from its own parts. Each carries the number of the assembling that it
 * belongs to: what comes from an earlier one is dropped, since its parts are gone.
 */
sealed interface DeviceNews extends DeviceCommand {
  long run();

  /** Main is open; its claim holds it. With this host's records of clean stops. */
  record MainOpened(long run, Map<UUID, CleanStop> cleanStops, Map<UUID, Position> runs)
      implements DeviceNews {}

  /** By what main is known now that the device stops; empty when that cannot be said. */
  record MainSeen(long run, Optional<DiskIdentity> identity) implements DeviceNews {}

  record MainNotOpened(long run, DiskException failure) implements DeviceNews {}

  record FromSpares(long run, SpareReply reply) implements DeviceNews {}

  /** For the change of its spares that is going on. */
  record ChangingSpare(long run, SpareReply reply) implements DeviceNews {}

  /** From spares that have left. */
  record LeavingSpare(long run, SpareReply reply) implements DeviceNews {}

  /** The disk of a spare that comes is found at every start; or why it is not. */
  record SpareRemembered(long run, Optional<String> problem) implements DeviceNews {}

  /** From spares that have gone away and are looked for. */
  record AwaySpare(long run, SpareReply reply) implements DeviceNews {}

  /** Copies on a spare that may be there again have been read. */
  record AwaySpareAnswered(long run) implements DeviceNews {}

  record LookForSpares(long run) implements DeviceNews {}

  record FromEvacuator(long run, EvacuatorRequest request) implements DeviceNews {}

  record LookAtEvacuation(long run) implements DeviceNews {}

  /** What became of leaving a spare that has failed. */
  record FailedSpareLeaves(long run, int index, Answer answer) implements DeviceNews {}

  record FromMetadata(long run, MetadataReply reply) implements DeviceNews {}

  record MetadataTold(long run, MetadataEvent event) implements DeviceNews {}

  record FromQueue(long run, QueueReport report) implements DeviceNews {}

  record FromRelocator(long run, RelocatorRequest request) implements DeviceNews {}

  record FromDisk(long run, DiskReport report) implements DeviceNews {}

  record FromScrubber(long run, ScrubberRequest request) implements DeviceNews {}

  /** A disk actor has answered whether its disk proves itself. */
  record DiskProved(long run, int disk, boolean proved, int queueId) implements DeviceNews {}

  /** The same, for what the surface scan found. */
  record FaultProved(long run, ScrubberRequest.FoundFault found, boolean proved, Disk main)
      implements DeviceNews {}

  /** The actor that hosted a queue ended so long ago that its queue should have ended too. */
  record FrontendGone(long run, int queueId) implements DeviceNews {}

  /** A part crashed. */
  record PartCrashed(long run, String part, String cause) implements DeviceNews {}

  /** Time to start the scrubber that crashed too often. */
  record ScrubberAgain(long run) implements DeviceNews {}

  /** The device's own requests to its disks have ended. */
  record DisksAnswered(long run) implements DeviceNews {}

  /** A deadline of assembling passed. */
  record AssemblyOverdue(long run) implements DeviceNews {}

  /** Time to try assembling (again). */
  record AssembleNow(long run) implements DeviceNews {}

  /** A share of the drain deadline has passed. */
  record DrainOverdue(long run, DrainPlan.Stage stage) implements DeviceNews {}

  /** About main being replaced. */
  sealed interface ForReplacement extends DeviceNews {}

  /** The new disk is open, or why not. */
  record NewDiskOpened(long run, UUID id, Optional<String> objection) implements ForReplacement {}

  /** The new disk's own requests have ended. */
  record NewDiskAnswered(long run, UUID id) implements ForReplacement {}

  /** What stands on the new disk, if that could be seen. */
  record NewDiskSeen(long run, UUID id, Optional<DiskIdentity> identity)
      implements ForReplacement {}

  record FromCopier(long run, CopierRequest request) implements ForReplacement {}

  /** Something of it is tried again. */
  record ReplaceAgain(long run) implements ForReplacement {}

  /** Requests do not end for the switch. */
  record SwitchOverdue(long run) implements ForReplacement {}

  /** The new disk is main: its claim is the device's from now on. */
  record MainSwitched(long run, DiskClaim claim, DiskAddress address) implements ForReplacement {}

  /** About main while its disk is away. */
  sealed interface ForAwayMain extends DeviceNews {}

  /** Time to look whether it is there again. */
  record LookForMain(long run) implements ForAwayMain {}

  /** A disk is there, or why not. */
  record MainThere(long run, Optional<String> objection) implements ForAwayMain {}

  /** What is read of it to know it again has been read. */
  record MainLookAnswered(long run) implements ForAwayMain {}

  /** Requests to main's label have ended. */
  record LabelAnswered(long run) implements DeviceNews {}

  record StatusOverdue(long run) implements DeviceNews {}

  record FreezeOverdue(long run, long freezeId) implements DeviceNews {}
}

package io.spared.device;

import io.spared.disk.DiskActor;
import io.spared.disk.DiskCommand;
import io.spared.disk.DiskNumber;
import io.spared.disk.DiskPolicy;
import io.spared.disk.IdentityProof;
import io.spared.evacuation.Evacuator;
import io.spared.evacuation.EvacuatorCommand;
import io.spared.ffi.disk.Disk;
import io.spared.format.Geometry;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.WriteIntents;
import io.spared.relocation.RelocationPolicy;
import io.spared.relocation.Relocator;
import io.spared.relocation.RelocatorCommand;
import io.spared.remap.RemapTable;
import io.spared.replacement.Copier;
import io.spared.replacement.CopierCommand;
import io.spared.scrub.Scrubber;
import io.spared.scrub.ScrubberCommand;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/** How the parts of a serving device are made: each on its home ring, each telling only it. */
final class DeviceChildren {
  private DeviceChildren() {}

  static ActorRef<DiskCommand> disk(Run run, int number, Disk disk) {
    return run.spawn(
        DiskActor.create(
            new DiskActor.Setup(
                number,
                run.lendTo(disk),
                run.parts.home().engine(),
                diskPolicy(run.settings),
                IdentityProof.by(run.parts.opener(), disk),
                run.parts.blocking(),
                report -> run.tell(new DeviceNews.FromDisk(run.number, report)))),
        run.unique("disk" + number));
  }

  /** A proof takes no longer than a request may: somebody waits for both. */
  private static DiskPolicy diskPolicy(DeviceSettings settings) {
    Duration request = settings.deadlines().request();
    DiskPolicy standard = DiskPolicy.DEFAULT;
    return request.compareTo(standard.proofDeadline()) >= 0
        ? standard
        : new DiskPolicy(
            request, standard.errorsWindow(), standard.distantErrorsMax(), standard.recheck());
  }

  static ActorRef<CopierCommand> copier(
      Run run,
      Serving serving,
      Disk to,
      long cursorBytes,
      WriteIntents intents,
      long bytesPerSecond,
      Duration keepEvery) {
    return run.spawn(
        Copier.create(
            new Copier.Setup(
                run.parts.home().engine(),
                serving.image().geometry(),
                serving.table(),
                run.lendTo(serving.main()),
                run.lendTo(to),
                cursorBytes,
                intents,
                bytesPerSecond,
                keepEvery,
                run.settings.deadlines().request(),
                request -> run.tell(new DeviceNews.FromCopier(run.number, request)))),
        run.unique("copier"));
  }

  static ActorRef<RelocatorCommand> relocator(
      Run run, Geometry geometry, RemapTable table, Map<Integer, Disk> disks, DeviceDoubts doubts) {
    Map<Integer, Disk> spares = lentTo(run, disks);
    Disk main = spares.remove(DiskNumber.MAIN);
    if (main == null) {
      throw new IllegalStateException("a device without a main disk cannot move blocks");
    }
    return run.spawn(
        Relocator.create(
            new Relocator.Setup(
                geometry,
                table,
                run.parts.home().engine(),
                main,
                spares,
                doubts,
                policy(run),
                request -> run.tell(new DeviceNews.FromRelocator(run.number, request)))),
        "relocator");
  }

  static ActorRef<ScrubberCommand> scrubber(
      Run run,
      LiveMap map,
      Map<Integer, Disk> disks,
      long surfaceCursorBytes,
      Optional<Instant> surfaceBegan,
      DeviceSettings settings) {
    return run.spawn(
        Scrubber.create(
            new Scrubber.Setup(
                run.parts.world(),
                run.parts.home().engine(),
                map.image().geometry(),
                map.table(),
                lentTo(run, disks),
                map.image().main().dataOffsetBytes(),
                surfaceCursorBytes,
                surfaceBegan,
                plan(settings),
                request -> run.tell(new DeviceNews.FromScrubber(run.number, request)))),
        run.unique("scrubber"));
  }

  static ActorRef<EvacuatorCommand> evacuator(
      Run run, Serving serving, int spare, boolean givenUp) {
    return run.spawn(
        Evacuator.create(
            new Evacuator.Setup(
                run.parts.home().engine(),
                serving.image().geometry(),
                serving.table(),
                spare,
                givenUp,
                serving.settings().upkeep().moveBytesPerSecond(),
                request -> run.tell(new DeviceNews.FromEvacuator(run.number, request)))),
        run.unique("evacuator"));
  }

  private static Map<Integer, Disk> lentTo(Run run, Map<Integer, Disk> disks) {
    Map<Integer, Disk> lent = new HashMap<>();
    disks.forEach((number, disk) -> lent.put(number, run.lendTo(disk)));
    return lent;
  }

  static ScrubberCommand.ScrubPlan plan(DeviceSettings settings) {
    DeviceSettings.Upkeep upkeep = settings.upkeep();
    return new ScrubberCommand.ScrubPlan(
        upkeep.scrubInterval(),
        upkeep.surfaceScan(),
        upkeep.surfacePeriod(),
        upkeep.surfaceFloorBytesPerSecond(),
        settings.deadlines().request());
  }

  private static RelocationPolicy policy(Run run) {
    RelocationPolicy standard = run.parts.relocation();
    Duration request = run.settings.deadlines().request();
    return new RelocationPolicy(
        request.multipliedBy(2),
        request,
        standard.mediaRetries(),
        standard.slotAttemptsMax(),
        standard.relocationsMax(),
        standard.waitingMax());
  }
}

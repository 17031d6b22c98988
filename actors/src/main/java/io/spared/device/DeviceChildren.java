package io.spared.device;

import io.spared.disk.DiskCommand;
import io.spared.ffi.disk.Disk;
import io.spared.format.Geometry;
import io.spared.queue.DeviceDoubts;
import io.spared.relocation.RelocatorCommand;
import io.spared.remap.RemapTable;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** How the parts of a serving device are made. */
final class DeviceChildren {
  private DeviceChildren() {}

  static ActorRef<DiskCommand> disk(Run run, int number, Disk disk) {
    return run.spawn(Behaviors.<DiskCommand>ignore(), "disk" + number);
  }

  static ActorRef<RelocatorCommand> relocator(
      Run run, Geometry geometry, RemapTable table, Map<Integer, Disk> disks, DeviceDoubts doubts) {
    return run.spawn(Behaviors.<RelocatorCommand>ignore(), "relocator");
  }
}

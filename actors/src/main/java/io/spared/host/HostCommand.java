package io.spared.host;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.SpareNotice;
import io.spared.ffi.disk.DiskAddress;
import io.spared.monitor.MonitorCommand;
import io.spared.spare.SpareUsage;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/** What the host is told and asked. */
public sealed interface HostCommand {

  /** A device to be supervised from now on. Answers at once; it assembles by itself. */
  record Add(DeviceSettings settings, ActorRef<Answer> replyTo) implements HostCommand {}

  /** Stop a device and forget it. Refused while it is used, unless forced. */
  record Remove(String name, boolean force, ActorRef<Answer> replyTo) implements HostCommand {}

  /** Stop a device, which can be started again. Refused while it is used, unless forced. */
  record Stop(String name, boolean force, long drainNanos, ActorRef<Answer> replyTo)
      implements HostCommand {}

  /** The actor of a device, for commands of its own. */
  record Find(String name, ActorRef<Optional<ActorRef<DeviceCommand>>> replyTo)
      implements HostCommand {}

  /** The status of every device, worst first; one that does not answer in time is said so. */
  record Statuses(ActorRef<List<DeviceStatus>> replyTo) implements HostCommand {}

  /** The settings under which each device runs, for reloading. */
  record Devices(ActorRef<List<DeviceSettings>> replyTo) implements HostCommand {}

  /** Other settings for a device, from a reloaded configuration. */
  record Reconfigure(DeviceSettings settings, ActorRef<Answer> replyTo) implements HostCommand {}

  /**
   * A further spare for a device that serves.
   *
   * @param leaves the number of the spare in whose stead it comes, or -1
   */
  record AddSpare(String name, DiskAddress address, int leaves, ActorRef<Answer> replyTo)
      implements HostCommand {}

  /** For the host itself: a device tells of its spares. */
  record OfSpares(SpareNotice notice) implements HostCommand {}

  /** For the host itself: what became of a hot spare that was offered. */
  record HotSpareAnswered(SpareNotice.Wanted wanted, DiskAddress address, Answer answer)
      implements HostCommand {}

  /**
   * Drain every device within the deadline and end.
   *
   * @param blockDevices which of the host's block devices stay, waiting for the next daemon
   */
  record Shutdown(long drainNanos, BlockDevices blockDevices, ActorRef<Farewell> replyTo)
      implements HostCommand {
    public Shutdown(long drainNanos, ActorRef<Farewell> replyTo) {
      this(drainNanos, BlockDevices.REMOVED, replyTo);
    }
  }

  /** What becomes of block devices when the daemon ends. */
  enum BlockDevices {
    REMOVED,
    LEFT_IF_USED,
    LEFT
  }

  /** What shutting down came to. */
  record Farewell(List<String> leftBehind) {
    public Farewell {
      leftBehind = List.copyOf(leftBehind);
    }
  }

  /** Where events are told and asked for. */
  record GetMonitor(ActorRef<ActorRef<MonitorCommand>> replyTo) implements HostCommand {}

  /** How full the spares are. */
  record GetSpares(ActorRef<List<SpareUsage>> replyTo) implements HostCommand {}

  /** For the host itself: a device that is to be removed has stopped, or refused. */
  record Removed(String name, Answer answer) implements HostCommand {}

  /** For the host itself: a device has stopped, since the daemon does. */
  record Drained(String name) implements HostCommand {}

  /** For the host itself: all spares are closed. */
  record SparesStopped(List<String> leftBehind) implements HostCommand {
    public SparesStopped {
      leftBehind = List.copyOf(leftBehind);
    }
  }

  /** For the host itself: the deadline of shutting down passed. */
  record ShutdownOverdue() implements HostCommand {}
}

package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.disk.DiskCommand;
import io.spared.disk.DiskNumber;
import io.spared.disk.DiskReport;
import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.queue.QueueReport;
import io.spared.remap.Place;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * The disks of a device that serves: the actor of each, which judges its errors, what is known of
 * it, and the port through which it is flushed.
 */
final class DeviceDisks {
  private final Run run;
  private final Map<Integer, ActorRef<DiskCommand>> actors = new HashMap<>();
  private final Map<Integer, Tally> tallies = new TreeMap<>();
  private final DiskFlushes flushes;

  /** What is known of a disk, for status. */
  private static final class Tally {
    final Disk disk;
    final String role;
    DiskReport.Health health = DiskReport.Health.WELL;
    String reason = "";
    long mediaErrors;
    long transportErrors;
    long timeouts;
    int held;

    Tally(Disk disk, String role) {
      this.disk = disk;
      this.role = role;
    }

    boolean isBad() {
      return health == DiskReport.Health.GONE || health == DiskReport.Health.DOUBTFUL;
    }
  }

  /**
   * @param disks main and the spares that are there, by their numbers
   */
  DeviceDisks(Run run, Map<Integer, Disk> disks) {
    this.run = run;
    Map<String, DiskPort> ports = new HashMap<>();
    new TreeMap<>(disks)
        .forEach((number, disk) -> {
          Tally tally = begin(number, disk);
          ports.put(tally.role, run.attach(disk));
        });
    this.flushes = new DiskFlushes(ports, () -> run.tell(new DeviceNews.DisksAnswered(run.number)));
  }

  private Tally begin(int number, Disk disk) {
    Tally tally = new Tally(disk, role(number));
    tallies.put(number, tally);
    actors.put(number, DeviceChildren.disk(run, number, disk));
    return tally;
  }

  private static String role(int number) {
    return number == DiskNumber.MAIN ? "main" : "spare-" + number;
  }

  DiskFlushes flushes() {
    return flushes;
  }

  /** Another disk has this number from now on, or one comes. */
  void use(int number, Disk disk) {
    leave(number);
    Tally tally = begin(number, disk);
    flushes.add(tally.role, run.attach(disk));
  }

  /** Nobody uses the disk for now; what is known of it stays. */
  void leave(int number) {
    ActorRef<DiskCommand> actor = actors.remove(number);
    if (actor != null) {
      actor.tell(new DiskCommand.Stop());
      run.leave(actor);
    }
    flushes.remove(role(number));
  }

  /** It is none of the device's any more. */
  void forget(int number) {
    tallies.remove(number);
  }

  /** The actors end; ports for flushing go back. */
  void endActors() {
    actors
        .values()
        .forEach(actor -> {
          actor.tell(new DiskCommand.Stop());
          run.leave(actor);
        });
  }

  private @Nullable Tally tally(int disk) {
    return tallies.get(disk);
  }

  private String name(int disk) {
    Tally tally = tallies.get(disk);
    return tally == null ? DiskNumber.toString(disk) : tally.role;
  }

  private static int diskOf(long place) {
    return Place.isSlot(place) ? Place.spare(place) : DiskNumber.MAIN;
  }

  // What is known of them.

  /** A block that cannot be read or written where it is: one error, however often it was tried. */
  void mediaErrorAt(long place) {
    Tally tally = tally(diskOf(place));
    if (tally != null) {
      tally.mediaErrors++;
    }
  }

  /** A request to a disk failed: its actor judges what that says of the disk. */
  void failed(QueueReport.DiskFailed failed) {
    Tally tally = tally(failed.disk());
    if (tally != null) {
      if (failed.errno() == Errno.ETIMEDOUT) {
        tally.timeouts++;
      } else if (ErrorPolicy.faultOf(failed.errno()) == ErrorPolicy.Fault.MEDIA) {
        // Of a read or a write it is counted by its block: mediaErrorAt.
        tally.mediaErrors += failed.operation() == IoRequest.Operation.DISCARD ? 1 : 0;
      } else {
        tally.transportErrors++;
      }
    }
    tell(
        failed.disk(),
        new DiskCommand.Failed(failed.operation(), failed.errno(), failed.offsetBytes()));
  }

  void inDoubt(QueueReport.InDoubt doubt) {
    Tally tally = tally(doubt.disk());
    if (tally != null) {
      tally.held++;
    }
    happened(
        Event.Severity.ERROR,
        "disk.timeout",
        name(doubt.disk())
            + ": a write of "
            + doubt.lengthBytes()
            + " bytes at "
            + doubt.offsetBytes()
            + " did not end in time; writes there wait until the kernel lets go");
  }

  void doubtEnded(int disk) {
    Tally tally = tally(disk);
    if (tally != null) {
      tally.held = Math.max(0, tally.held - 1);
    }
  }

  Fact flushFailed(QueueReport.FlushFailed failed) {
    return new Fact.Worse(
        Trouble.FLUSH,
        name(failed.disk())
            + " could not flush ("
            + failed.errno()
            + "): writes fail until the device is started again");
  }

  /** Answered by the disk's actor, once it knows; by nobody when there is none. */
  void prove(int disk, Errno errno, long offsetBytes, Consumer<Boolean> proved) {
    tell(disk, new DiskCommand.Prove(errno, offsetBytes, proved));
  }

  /** A disk that is not there proves nothing; requests may still end that were made before. */
  void tell(int disk, DiskCommand command) {
    ActorRef<DiskCommand> actor = actors.get(disk);
    if (actor != null) {
      actor.tell(command);
    } else if (command instanceof DiskCommand.Prove prove) {
      prove.answer().accept(false);
    }
  }

  /** Its actor has come to another judgement. */
  Fact judged(DiskReport.HealthChanged changed) {
    Tally tally = tally(changed.disk());
    if (tally != null) {
      tally.health = changed.now();
      tally.reason = changed.reason();
    }
    String sentence =
        name(changed.disk()) + " is " + words(changed.now()) + ": " + changed.reason();
    happened(
        changed.now() == DiskReport.Health.WELL ? Event.Severity.NOTICE : Event.Severity.WARNING,
        "disk.health",
        sentence);
    boolean bad =
        changed.now() == DiskReport.Health.GONE || changed.now() == DiskReport.Health.DOUBTFUL;
    Trouble trouble = changed.disk() == DiskNumber.MAIN ? Trouble.MAIN : Trouble.SPARE;
    return bad ? new Fact.Worse(trouble, sentence) : new Fact.Better(trouble);
  }

  private static String words(DiskReport.Health health) {
    return switch (health) {
      case WELL -> "well";
      case AGEING -> "ageing";
      case DOUBTFUL -> "doubtful";
      case GONE -> "gone";
    };
  }

  boolean isUsable(int number) {
    Tally tally = tally(number);
    return tally != null && !tally.isBad();
  }

  boolean isAnySpareInTrouble() {
    return tallies.entrySet().stream()
        .anyMatch(disk -> disk.getKey() != DiskNumber.MAIN && disk.getValue().isBad());
  }

  @Nullable Disk withRole(String role) {
    for (Tally tally : tallies.values()) {
      if (tally.role.equals(role)) {
        return tally.disk;
      }
    }
    return null;
  }

  List<DeviceStatus.DiskStatus> status() {
    List<DeviceStatus.DiskStatus> list = new ArrayList<>();
    for (Tally tally : tallies.values()) {
      list.add(
          new DeviceStatus.DiskStatus(
              tally.role,
              tally.disk.address().toString(),
              tally.disk.geometry().sizeBytes(),
              words(tally.health) + (tally.reason.isEmpty() ? "" : " (" + tally.reason + ")"),
              tally.mediaErrors,
              tally.transportErrors,
              tally.timeouts,
              tally.held));
    }
    return list;
  }

  private void happened(Event.Severity severity, String kind, String sentence) {
    run.parts
        .monitor()
        .tell(new MonitorCommand.Happened(severity, run.settings.name(), kind, sentence));
  }
}

package io.spared.spare;

import io.spared.ffi.disk.DiskAddress;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * Owns the host's spare disks, one actor for each, on one ring. It only finds the right one: what a
 * spare does is in {@link SpareDisk}.
 *
 * <p>A spare disk is opened once, however many devices use it. Two addresses of one disk are met by
 * the disk's exclusive open, which refuses the second.
 *
 * <p>A spare's actor that ends by itself is forgotten. One that crashed too, and is made anew when
 * a device asks for its disk; the crash is told, and the devices on it see its end themselves
 * ({@link SpareReply.Attached#keeper}). A crash of this actor ends the daemon: nobody could lend
 * any more.
 */
public final class Spares extends AbstractBehavior<SpareCommand> {
  private final SpareParts parts;
  private final TimerScheduler<SpareCommand> timers;
  private final Map<DiskAddress, ActorRef<SpareDiskCommand>> disks = new HashMap<>();
  private final Map<UUID, DiskAddress> addresses = new HashMap<>();
  private final List<SpareUsage> usages = new ArrayList<>();
  private final List<ActorRef<List<SpareUsage>>> usageAskers = new ArrayList<>();
  private int usagesAwaited;
  private SpareCommand.@Nullable Stop stopping;
  private int count;

  private Spares(
      ActorContext<SpareCommand> context, TimerScheduler<SpareCommand> timers, SpareParts parts) {
    super(context);
    this.timers = timers;
    this.parts = parts;
  }

  public static Behavior<SpareCommand> create(SpareParts parts) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Spares(context, timers, parts)));
  }

  @Override
  public Receive<SpareCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(SpareCommand.class, this::on)
        .onSignal(ChildFailed.class, failed -> ended(failed, failed.cause()))
        .onSignal(Terminated.class, ended -> ended(ended, null))
        .build();
  }

  private Behavior<SpareCommand> on(SpareCommand command) {
    switch (command) {
      case SpareCommand.Attach attach -> {
        if (stopping != null) {
          SpareDisk.refuse(attach, "the daemon is stopping", false, attach.address());
        } else {
          disk(attach.address()).tell(new SpareDiskCommand.Asked(attach));
        }
      }
      case SpareCommand.Prepare prepare -> {
        if (stopping != null) {
          SpareDisk.refuse(prepare, "the daemon is stopping", false, prepare.address());
        } else {
          disk(prepare.address()).tell(new SpareDiskCommand.Asked(prepare));
        }
      }
      case SpareCommand.Uses uses -> route(uses.spareId(), uses);
      case SpareCommand.Detach detach -> route(detach.spareId(), detach);
      case SpareCommand.Lend lend -> route(lend.spareId(), lend);
      case SpareCommand.LendPlaces lend -> route(lend.spareId(), lend);
      case SpareCommand.TakeBack back -> route(back.spareId(), back);
      case SpareCommand.Check check -> route(check.spareId(), check);
      case SpareCommand.GetUsage ask -> askUsage(ask);
      case SpareCommand.Stop stop -> {
        stopping = stop;
        disks.values().forEach(disk -> disk.tell(new SpareDiskCommand.Stop()));
        timers.startSingleTimer(
            new SpareNews.StopOverdue(), Duration.ofNanos(Math.max(1, stop.drainNanos())));
        return stopIfDone();
      }
      case SpareNews.Known known -> addresses.put(known.spareId(), known.address());
      case SpareNews.Usage usage -> {
        usages.add(usage.usage());
        if (--usagesAwaited <= 0) {
          answerUsage();
        }
      }
      case SpareNews.UsageOverdue late -> answerUsage();
      case SpareNews.StopOverdue late -> {
        SpareCommand.Stop stop = stopping;
        if (stop != null) {
          stop.replyTo()
              .tell(
                  new SpareReply.Stopped(
                      disks.keySet().stream().map(address -> address + " does not end").toList()));
        }
        return Behaviors.stopped();
      }
    }
    return this;
  }

  private ActorRef<SpareDiskCommand> disk(DiskAddress address) {
    ActorRef<SpareDiskCommand> known = disks.get(address);
    if (known != null) {
      return known;
    }
    ActorRef<SpareDiskCommand> disk =
        getContext()
            .spawn(
                SpareDisk.create(parts, address, getContext().getSelf()),
                "spare-disk-" + ++count,
                DispatcherSelector.sameAsParent());
    getContext().watch(disk);
    disks.put(address, disk);
    return disk;
  }

  private Behavior<SpareCommand> ended(Terminated ended, @Nullable Throwable cause) {
    disks.entrySet().stream()
        .filter(entry -> entry.getValue().path().equals(ended.getRef().path()))
        .map(Map.Entry::getKey)
        .findFirst()
        .ifPresent(address -> {
          disks.remove(address);
          addresses.values().removeIf(address::equals);
          if (cause != null) {
            getContext().getLog().error("{}: its actor crashed", address, cause);
            parts
                .monitor()
                .tell(
                    new MonitorCommand.Happened(
                        Event.Severity.ERROR,
                        "",
                        "spare.crashed",
                        address
                            + ": its actor crashed ("
                            + cause
                            + "); the devices that use it are assembled again"));
          }
        });
    return stopIfDone();
  }

  private void route(UUID spareId, SpareCommand.Public command) {
    DiskAddress address = addresses.get(spareId);
    ActorRef<SpareDiskCommand> disk = address == null ? null : disks.get(address);
    if (disk == null || address == null) {
      SpareDisk.refuse(
          command,
          "spare " + spareId + " is not open",
          false,
          address == null ? new DiskAddress.OfMemory(0, 512, spareId.toString()) : address);
    } else {
      disk.tell(new SpareDiskCommand.Asked(command));
    }
  }

  private void askUsage(SpareCommand.GetUsage ask) {
    usageAskers.add(ask.replyTo());
    if (usageAskers.size() > 1) {
      return;
    }
    usages.clear();
    usagesAwaited = disks.size();
    if (usagesAwaited == 0) {
      answerUsage();
      return;
    }
    disks
        .values()
        .forEach(disk -> disk.tell(new SpareDiskCommand.GetUsage(getContext().getSelf())));
    timers.startSingleTimer(new SpareNews.UsageOverdue(), Duration.ofMillis(500));
  }

  private void answerUsage() {
    List<SpareUsage> answer = List.copyOf(usages);
    usageAskers.forEach(asker -> asker.tell(answer));
    usageAskers.clear();
    timers.cancel(new SpareNews.UsageOverdue());
  }

  private Behavior<SpareCommand> stopIfDone() {
    SpareCommand.Stop stop = stopping;
    if (stop != null && disks.isEmpty()) {
      stop.replyTo().tell(new SpareReply.Stopped(List.of()));
      return Behaviors.stopped();
    }
    return this;
  }
}

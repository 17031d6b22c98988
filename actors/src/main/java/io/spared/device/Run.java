package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One assembling of a device and the serving that follows: everything that was begun for it carries
 * its number and ends with it.
 */
final class Run {
  final long number;
  final DeviceParts parts;
  final DeviceSettings settings;
  private final ActorContext<DeviceCommand> context;
  private final TimerScheduler<DeviceCommand> timers;
  private int made;
  private final Map<ActorRef<?>, String> children = new LinkedHashMap<>();
  private final Map<ActorRef<?>, String> reliedOn = new LinkedHashMap<>();
  private final RunPorts ports = new RunPorts();

  private final List<DiskClaim> claims = new ArrayList<>();
  private final List<SpareReply.Attached> spares = new ArrayList<>();
  private final Map<UUID, List<DiskPort>> writersPorts = new HashMap<>();
  private DiskClaim main;

  Run(
      long number,
      DeviceParts parts,
      DeviceSettings settings,
      ActorContext<DeviceCommand> context,
      TimerScheduler<DeviceCommand> timers) {
    this.number = number;
    this.parts = parts;
    this.settings = settings;
    this.context = context;
    this.timers = timers;
    this.main = newClaim();
  }

  void tell(DeviceNews news) {
    context.getSelf().tell(news);
  }

  ActorRef<DeviceCommand> self() {
    return context.getSelf();
  }

  long nowNanos() {
    return parts.world().clock().nanoTime();
  }

  /** A part of the device, on its ring. Its crash becomes {@link DeviceNews.PartCrashed}. */
  <T> ActorRef<T> spawn(Behavior<T> behavior, String part) {
    ActorRef<T> child =
        context.spawn(behavior, part + "-" + number, DispatcherSelector.sameAsParent());
    children.put(child, part);
    context.watch(child);
    return child;
  }

  /** Main, once it is open. */
  DiskClaim main() {
    return main;
  }

  /** Another disk is main from now on; the one before is closed. */
  void mainIs(DiskClaim now) {
    main.withdraw();
    main = now;
  }

  /** For a disk that is opened on another thread; it is closed when the run ends. */
  DiskClaim newClaim() {
    claims.removeIf(DiskClaim::isWithdrawn);
    DiskClaim claim = new DiskClaim(parts.blocking());
    claims.add(claim);
    return claim;
  }

  /** A spare was attached for this run. */
  void uses(SpareReply.Attached spare) {
    spares.add(spare);
    reliedOn.put(spare.keeper(), "spare " + spare.address());
    context.watch(spare.keeper());
  }

  /** To be said before the first write there. */
  void writesTo(SpareReply.Attached spare, UUID deviceId) {
    parts.spares().tell(new SpareCommand.Uses(spare.spareId(), deviceId, spare.user()));
  }

  /** The spare goes back before the run ends. */
  void usesNoMore(SpareReply.Attached spare) {
    if (!spares.remove(spare)) {
      return;
    }
    if (spares.stream().noneMatch(other -> other.spareId().equals(spare.spareId()))) {
      List<DiskPort> ports = writersPorts.remove(spare.spareId());
      if (ports != null) {
        ports.forEach(DiskPort::detach);
      }
    }
    parts.spares().tell(new SpareCommand.Detach(spare.spareId(), spare.user()));
    if (spares.stream().noneMatch(other -> other.keeper().equals(spare.keeper()))) {
      reliedOn.remove(spare.keeper());
      context.unwatch(spare.keeper());
    }
  }

  /** The same for whichever was attached last of this identity. */
  void usesNoMore(UUID spareId) {
    spares.reversed().stream()
        .filter(spare -> spare.spareId().equals(spareId))
        .findFirst()
        .ifPresent(this::usesNoMore);
  }

  /** A port for the device itself; it goes back when the run ends, if not before. */
  DiskPort attach(Disk disk) {
    return ports.attach(disk, parts.home().engine());
  }

  /** A port for a writer of metadata; it goes back with the spare, if not before. */
  DiskPort attachWriter(SpareReply.Attached spare) {
    DiskPort port = attach(spare.disk());
    writersPorts.computeIfAbsent(spare.spareId(), id -> new ArrayList<>()).add(port);
    return port;
  }

  /** The disk as a part of the device gets it: its ports go back when the run ends. */
  Disk lendTo(Disk disk) {
    return ports.disk(disk);
  }

  /** The name of what was relied on and has ended, or null. */
  @Nullable String reliedOn(ActorRef<?> ended) {
    return reliedOn.remove(ended);
  }

  /** A name for a part that may be made more than once. */
  String unique(String part) {
    return part + "~" + ++made;
  }

  /** The name of a part that has ended, or null when it is not of this run. */
  @Nullable String ended(ActorRef<?> child) {
    return children.remove(child);
  }

  /** An address for messages of another protocol, which arrive as news of this run. */
  <T> ActorRef<T> inbox(Class<T> type, String name, Function<T, DeviceNews> news) {
    Behavior<T> forward =
        Behaviors.receive(type)
            .onMessage(
                type,
                message -> {
                  context.getSelf().tell(news.apply(message));
                  return Behaviors.same();
                })
            .build();
    ActorRef<T> child =
        context.spawn(forward, "from-" + name + "-" + number, DispatcherSelector.sameAsParent());
    children.put(child, "from-" + name);
    return child;
  }

  /** The news comes after the delay, unless another with the same key replaces it. */
  void later(Object key, long delayNanos, DeviceNews news) {
    timers.startSingleTimer(key, news, Duration.ofNanos(Math.max(1, delayNanos)));
  }

  void notLater(Object key) {
    timers.cancel(key);
  }

  /** This part ends by itself, having been told to: it is not stopped, and its end is no news. */
  void leave(ActorRef<?> child) {
    if (children.remove(child) != null) {
      context.unwatch(child);
    }
  }

  /**
   * Whatever still runs ends now, and all that was taken for it goes back: ports, then main. A
   * spare goes back when the inbox ends through which it was asked for ({@link
   * SpareCommand.Attach}), which is after this.
   */
  void end() {
    children.keySet().forEach(context::stop);
    children.clear();
    reliedOn.keySet().forEach(context::unwatch);
    reliedOn.clear();
    timers.cancelAll();
    ports.detachAll();
    claims.forEach(DiskClaim::withdraw);
  }
}

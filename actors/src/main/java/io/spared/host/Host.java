package io.spared.host;

import io.spared.device.Answer;
import io.spared.device.DeviceActor;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceParts;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.Life;
import io.spared.device.LifeCycle;
import io.spared.device.LifeCycle.Fact;
import io.spared.device.SpareNotice;
import io.spared.ffi.disk.DiskAddress;
import io.spared.monitor.Event;
import io.spared.monitor.Monitor;
import io.spared.monitor.MonitorCommand;
import io.spared.nbd.NbdFrontend;
import io.spared.nbd.NbdListenerSettings;
import io.spared.nbd.NbdRequest;
import io.spared.ring.OneAnswer;
import io.spared.ring.Ring;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareParts;
import io.spared.spare.SpareReply;
import io.spared.spare.Spares;
import io.spared.ublk.UblkHost;
import io.spared.ublk.UblkServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiFunction;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * The supervisor of one host. It owns devices by name, the spares, the monitor and the NBD
 * listeners, and does no I/O itself, so nothing that a disk does reaches it or another device.
 *
 * <p>What a crash means:
 *
 * <table>
 * <caption>Supervision</caption>
 * <tr><td>a device's actor</td><td>a new one assembles it from its disks, three times in ten minutes
 *     at most; then it is shown as failed</td></tr>
 * <tr><td>a part of a device</td><td>see {@link DeviceActor}</td></tr>
 * <tr><td>one spare</td><td>the devices that use it are assembled again from their disks</td></tr>
 * <tr><td>the owner of the spares</td><td>the daemon stops</td></tr>
 * <tr><td>an NBD listener, exports, the monitor</td><td>started again; connections end and come back,
 *     the monitor loses its history</td></tr>
 * <tr><td>this actor</td><td>the daemon stops</td></tr>
 * </table>
 */
public final class Host extends AbstractBehavior<HostCommand> {
  /** A device is asked for its status no longer than this. */
  private static final Duration STATUS_WAIT = Duration.ofSeconds(2);

  /** Writing whole copies of large metadata takes its time. */
  private static final Duration SPARE_WAIT = Duration.ofMinutes(9);

  private static final int MOST_DEVICES = 4096;

  private final HostParts parts;
  private final TimerScheduler<HostCommand> timers;
  private final ActorRef<MonitorCommand> monitor;
  private final ActorRef<SpareCommand> spares;
  private final ActorRef<Exports.Command> exports;
  private final ActorRef<SpareNotice> notices;
  private final SpareBook spareBook;
  private final List<ActorRef<NbdFrontend.Command>> listeners = new ArrayList<>();

  /** How the names of those begin who serve block devices. */
  private static final String UBLK_SERVER = "ublk-";

  private final Map<String, Known> devices = new TreeMap<>();
  private final List<String> leftBehind = new ArrayList<>();
  private int nextRing;
  private long spawned;
  private HostCommand.@Nullable Shutdown shutdown;
  private ShutdownStep shutdownStep = ShutdownStep.DEVICES;

  /** Shutting down goes from the outside to the inside. */
  private enum ShutdownStep {
    DEVICES,
    SPARES
  }

  /** A device under supervision. */
  private static final class Known {
    DeviceSettings settings;
    @Nullable ActorRef<DeviceCommand> actor;
    Life life = Life.begin();

    /** Serves it as a block device, where its settings say so. */
    @Nullable ActorRef<UblkServer.Message> server;

    @Nullable ActorRef<Answer> removing;

    Known(DeviceSettings settings) {
      this.settings = settings;
    }
  }

  private Host(
      ActorContext<HostCommand> context, TimerScheduler<HostCommand> timers, HostParts parts) {
    super(context);
    this.parts = parts;
    this.timers = timers;
    this.monitor =
        context.spawn(
            Behaviors.supervise(Monitor.create(parts.world().clock(), parts.auditLog()))
                .onFailure(SupervisorStrategy.restart()),
            "monitor");
    Ring ring = parts.rings().ring(0);
    this.spares =
        context.spawn(
            Spares.create(
                new SpareParts(
                    ring,
                    parts.opener(),
                    parts.blocking(),
                    monitor,
                    parts.openDeadline(),
                    parts.metadata().commitTimeout())),
            "spares",
            ring.dispatcher());
    context.watch(spares);
    this.notices = context.messageAdapter(SpareNotice.class, HostCommand.OfSpares::new);
    this.spareBook = new SpareBook(parts.addedSpares().atStart(), parts.hotSpares());
    this.exports =
        context.spawn(
            Behaviors.supervise(Exports.create(monitor)).onFailure(SupervisorStrategy.resume()),
            "exports");
    ActorRef<NbdRequest> inbox =
        context.spawn(
            Behaviors.receive(NbdRequest.class)
                .onMessage(
                    NbdRequest.class,
                    request -> {
                      exports.tell(new Exports.FromNbd(request));
                      return Behaviors.same();
                    })
                .build(),
            "nbd-requests");
    int number = 0;
    for (NbdListenerSettings settings : parts.nbd()) {
      listeners.add(
          context.spawn(
              Behaviors.supervise(NbdFrontend.create(settings, parts.rings(), inbox))
                  .onFailure(
                      SupervisorStrategy.restartWithBackoff(
                          Duration.ofMillis(100), Duration.ofSeconds(10), 0.1)),
              "nbd-" + number++));
    }
  }

  public static Behavior<HostCommand> create(HostParts parts) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Host(context, timers, parts)));
  }

  @Override
  public Receive<HostCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(HostCommand.class, this::on)
        .onSignal(ChildFailed.class, failed -> ended(failed, failed.cause()))
        .onSignal(Terminated.class, ended -> ended(ended, null))
        .build();
  }

  private Behavior<HostCommand> on(HostCommand command) {
    switch (command) {
      case HostCommand.Add add -> add(add);
      case HostCommand.Remove remove -> remove(remove);
      case HostCommand.Removed removed -> removed(removed);
      case HostCommand.Stop stop -> stop(stop);
      case HostCommand.Find find -> find.replyTo().tell(find(find.name()));
      case HostCommand.Statuses ask -> statuses(ask);
      case HostCommand.Devices ask ->
          ask.replyTo().tell(devices.values().stream().map(known -> known.settings).toList());
      case HostCommand.GetMonitor ask -> ask.replyTo().tell(monitor);
      case HostCommand.GetSpares ask -> spares.tell(new SpareCommand.GetUsage(ask.replyTo()));
      case HostCommand.Reconfigure reconfigure -> reconfigure(reconfigure);
      case HostCommand.AddSpare add -> addSpare(add);
      case HostCommand.OfSpares of -> ofSpares(of.notice());
      case HostCommand.HotSpareAnswered answered -> {
        if (answered.answer() instanceof Answer.Refused refused) {
          happened(
              answered.wanted().device(),
              "hot-spare.refused",
              "hot spare " + answered.address() + ": " + refused.sentence());
          offerHotSpare(answered.wanted());
        }
      }
      case HostCommand.Shutdown ask -> {
        return shutdown(ask);
      }
      case HostCommand.Drained drained -> {
        return drained(drained.name());
      }
      case HostCommand.SparesStopped stopped -> {
        leftBehind.addAll(stopped.leftBehind());
        return farewell();
      }
      case HostCommand.ShutdownOverdue late -> {
        devices.keySet().forEach(name -> leftBehind.add(name + " did not end in time"));
        return farewell();
      }
    }
    return this;
  }

  private Optional<ActorRef<DeviceCommand>> find(String name) {
    Known known = devices.get(name);
    return known == null ? Optional.empty() : Optional.ofNullable(known.actor);
  }

  private void add(HostCommand.Add add) {
    String name = add.settings().name();
    if (shutdown != null) {
      add.replyTo().tell(new Answer.Refused("the daemon is stopping"));
      return;
    }
    if (devices.containsKey(name)) {
      add.replyTo()
          .tell(
              new Answer.Refused(
                  "there is a device "
                      + name
                      + " already; remove it first, or choose another name"));
      return;
    }
    if (devices.size() >= MOST_DEVICES) {
      add.replyTo().tell(new Answer.Refused("this host has " + MOST_DEVICES + " devices already"));
      return;
    }
    for (Known other : devices.values()) {
      if (other.settings.main().equals(add.settings().main())) {
        add.replyTo()
            .tell(
                new Answer.Refused(
                    add.settings().main()
                        + " is the main disk of "
                        + other.settings.name()
                        + " already"));
        return;
      }
    }
    Known known =
        new Known(add.settings().withSpares(spareBook.spares(name, add.settings().spares())));
    devices.put(name, known);
    begin(known);
    tellExports();
    add.replyTo().tell(new Answer.Done(name + " is being assembled"));
  }

  private void addSpare(HostCommand.AddSpare add) {
    Known known = devices.get(add.name());
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (actor == null) {
      add.replyTo().tell(new Answer.Refused("there is no device " + add.name()));
      return;
    }
    for (Known other : devices.values()) {
      if (other.settings.main().equals(add.address())) {
        add.replyTo()
            .tell(
                new Answer.Refused(
                    add.address() + " is the main disk of " + other.settings.name()));
        return;
      }
    }
    actor.tell(new DeviceCommand.AddSpare(add.address(), add.leaves(), add.replyTo()));
  }

  private void ofSpares(SpareNotice notice) {
    switch (notice) {
      case SpareNotice.Comes comes ->
          remember(
              comes.device(),
              spareBook.comes(comes.device(), comes.address()),
              Optional.of(comes.replyTo()));
      case SpareNotice.Gone gone ->
          spareBook
              .gone(gone.device(), gone.address())
              .ifPresent(left -> {
                Known known = devices.get(gone.device());
                if (known != null) {
                  List<DiskAddress> spares = new ArrayList<>(known.settings.spares());
                  spares.remove(gone.address());
                  known.settings = known.settings.withSpares(spares);
                }
                remember(gone.device(), left, Optional.empty());
              });
      case SpareNotice.Wanted wanted -> {
        spareBook.wanted(wanted.device());
        offerHotSpare(wanted);
      }
    }
  }

  /** A device's actor that is made anew has the spare too, and so has the next daemon. */
  private void remember(
      String device, List<DiskAddress> added, Optional<ActorRef<SpareNotice.Remembered>> replyTo) {
    Known known = devices.get(device);
    if (known != null) {
      known.settings = known.settings.withSpares(spareBook.spares(device, known.settings.spares()));
    }
    AddedSpares memory = parts.addedSpares();
    parts
        .blocking()
        .execute(() -> {
          Optional<String> problem = memory.record(device, added);
          replyTo.ifPresent(asker -> asker.tell(new SpareNotice.Remembered(problem)));
        });
  }

  private void offerHotSpare(SpareNotice.Wanted wanted) {
    Known known = devices.get(wanted.device());
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (known == null || actor == null) {
      return;
    }
    Map<DiskAddress, Integer> used = new HashMap<>();
    devices
        .values()
        .forEach(device ->
            device.settings.spares().forEach(spare -> used.merge(spare, 1, Integer::sum)));
    Optional<DiskAddress> hot = spareBook.nextHot(wanted.device(), known.settings.spares(), used);
    if (hot.isEmpty()) {
      happened(
          wanted.device(),
          "hot-spare.none",
          "a hot spare is wanted (" + wanted.reason() + "), and there is none that could be taken");
      return;
    }
    happened(
        wanted.device(),
        "hot-spare.offered",
        "hot spare " + hot.get() + " is taken, since " + wanted.reason());
    OneAnswer.ask(
        getContext(),
        Answer.class,
        actor,
        SPARE_WAIT,
        replyTo -> new DeviceCommand.AddSpare(hot.get(), wanted.leaves(), replyTo),
        (answer, failure) ->
            new HostCommand.HotSpareAnswered(
                wanted,
                hot.get(),
                answer == null ? new Answer.Refused("no answer in time") : answer));
  }

  private void happened(String device, String kind, String sentence) {
    monitor.tell(new MonitorCommand.Happened(Event.Severity.WARNING, device, kind, sentence));
  }

  private void reconfigure(HostCommand.Reconfigure ask) {
    Known known = devices.get(ask.settings().name());
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (known == null || actor == null) {
      ask.replyTo().tell(new Answer.Refused("there is no device " + ask.settings().name()));
      return;
    }
    DeviceSettings next =
        ask.settings().withSpares(spareBook.spares(ask.settings().name(), ask.settings().spares()));
    known.settings = next;
    actor.tell(new DeviceCommand.Reconfigure(next, ask.replyTo()));
  }

  private void begin(Known known) {
    Ring home = parts.rings().ring(nextRing);
    nextRing = (nextRing + 1) % parts.rings().count();
    ActorRef<DeviceCommand> actor =
        getContext()
            .spawn(
                DeviceActor.create(deviceParts(home), known.settings, known.life),
                "device-" + known.settings.name() + "-" + ++spawned,
                home.dispatcher());
    getContext().watch(actor);
    known.actor = actor;
    serveAsBlockDevice(known, actor, home);
  }

  /**
   * A device's actor that was made anew is served by a server that is. The one before removes its
   * block device, whose queues belong to the actor that is gone, and ends.
   */
  private void serveAsBlockDevice(Known known, ActorRef<DeviceCommand> actor, Ring home) {
    known.server = null;
    if (known.settings.frontend() == DeviceSettings.Frontend.UBLK) {
      UblkHost ublk = new UblkHost(home, parts.rings(), parts.ublk());
      known.server =
          getContext()
              .spawn(
                  UblkServer.create(ublk, known.settings, actor),
                  UBLK_SERVER + known.settings.name() + "-" + spawned,
                  home.dispatcher());
      getContext().watch(known.server);
    }
  }

  /** Asks a device to stop, through its block device where it has one: that is removed first. */
  private void askToStop(
      Known known,
      ActorRef<DeviceCommand> actor,
      boolean force,
      long drainNanos,
      Duration deadline,
      BiFunction<@Nullable Answer, @Nullable Throwable, HostCommand> made) {
    ActorRef<UblkServer.Message> server = known.server;
    UblkServer.After after =
        shutdown == null
            ? UblkServer.After.END
            : switch (shutdown.blockDevices()) {
              case REMOVED -> UblkServer.After.END;
              case LEFT_IF_USED -> UblkServer.After.END_AND_LEAVE_IF_USED;
              case LEFT -> UblkServer.After.END_AND_LEAVE;
            };
    if (server == null) {
      OneAnswer.ask(
          getContext(),
          Answer.class,
          actor,
          deadline,
          replyTo -> new DeviceCommand.Stop(force, drainNanos, replyTo),
          made);
    } else {
      OneAnswer.ask(
          getContext(),
          Answer.class,
          server,
          deadline,
          replyTo -> new UblkServer.Stop(force, after, drainNanos, replyTo),
          made);
    }
  }

  private DeviceParts deviceParts(Ring home) {
    return new DeviceParts(
        parts.world(),
        home,
        parts.opener(),
        parts.faults(),
        parts.blocking(),
        spares,
        monitor,
        notices,
        parts.owner(),
        parts.cleanStops(),
        parts.metadata(),
        parts.relocation());
  }

  private void remove(HostCommand.Remove remove) {
    Known known = devices.get(remove.name());
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (known == null) {
      remove.replyTo().tell(new Answer.Refused("there is no device " + remove.name()));
      return;
    }
    if (actor == null) {
      forget(remove.name());
      remove.replyTo().tell(new Answer.Done(remove.name() + " is removed"));
      return;
    }
    if (known.removing != null) {
      remove.replyTo().tell(new Answer.Refused(remove.name() + " is being removed already"));
      return;
    }
    known.removing = remove.replyTo();
    long drainNanos = known.settings.deadlines().drain().toNanos();
    askToStop(
        known,
        actor,
        remove.force(),
        drainNanos,
        Duration.ofNanos(drainNanos).plusSeconds(2),
        (answer, failure) ->
            new HostCommand.Removed(
                remove.name(),
                answer == null
                    ? new Answer.Refused(remove.name() + " did not end in time")
                    : answer));
  }

  /** Through its block device, where it has one: nothing of it may be left when it has stopped. */
  private void stop(HostCommand.Stop stop) {
    Known known = devices.get(stop.name());
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (known == null || actor == null) {
      stop.replyTo().tell(new Answer.Refused("there is no device " + stop.name()));
      return;
    }
    ActorRef<UblkServer.Message> server = known.server;
    if (server == null) {
      actor.tell(new DeviceCommand.Stop(stop.force(), stop.drainNanos(), stop.replyTo()));
    } else {
      server.tell(
          new UblkServer.Stop(
              stop.force(), UblkServer.After.REST, stop.drainNanos(), stop.replyTo()));
    }
  }

  private void removed(HostCommand.Removed removed) {
    Known known = devices.get(removed.name());
    if (known == null) {
      return;
    }
    ActorRef<Answer> asker = known.removing;
    known.removing = null;
    if (removed.answer() instanceof Answer.Done) {
      ActorRef<DeviceCommand> actor = known.actor;
      forget(removed.name());
      if (actor != null) {
        getContext().unwatch(actor);
        getContext().stop(actor);
      }
      if (asker != null) {
        asker.tell(new Answer.Done(removed.name() + " is removed"));
      }
    } else if (asker != null) {
      asker.tell(removed.answer());
    }
  }

  private void forget(String name) {
    devices.remove(name);
    monitor.tell(new MonitorCommand.Forget(name));
    tellExports();
  }

  private void tellExports() {
    Map<String, Exports.Exported> exported = new HashMap<>();
    devices.forEach((name, known) -> {
      ActorRef<DeviceCommand> actor = known.actor;
      if (actor != null && known.settings.frontend() == DeviceSettings.Frontend.NBD) {
        exported.put(name, new Exports.Exported(actor, known.settings.description()));
      }
    });
    exports.tell(new Exports.Devices(exported));
  }

  /** An actor has ended that this host watches; without a cause it did what it was told. */
  private Behavior<HostCommand> ended(Terminated ended, @Nullable Throwable cause) {
    if (ended.getRef().path().equals(spares.path())) {
      if (shutdown == null) {
        throw new IllegalStateException("the owner of the spares crashed", cause);
      }
      return this;
    }
    if (cause != null && ended.getRef().path().name().startsWith(UBLK_SERVER) && shutdown == null) {
      // It survives a crash by itself; whoever waits for its block device waits for a daemon now.
      throw new IllegalStateException("the server of a block device crashed twice", cause);
    }
    for (Map.Entry<String, Known> entry : devices.entrySet()) {
      Known known = entry.getValue();
      if (known.actor != null && ended.getRef().path().equals(known.actor.path())) {
        known.actor = null;
        if (shutdown != null) {
          return drained(entry.getKey());
        }
        return again(entry.getKey(), known, cause);
      }
    }
    return this;
  }

  private Behavior<HostCommand> again(String name, Known known, @Nullable Throwable cause) {
    String why = cause == null ? "it ended by itself" : cause.toString();
    LifeCycle.Step step =
        LifeCycle.next(
            known.life, new Fact.Crashed("actor", why, parts.world().clock().nanoTime()));
    known.life = step.life();
    monitor.tell(
        new MonitorCommand.Happened(
            Event.Severity.CRITICAL, name, "device.crashed", "its actor crashed: " + why));
    if (known.life.phase().ended()) {
      monitor.tell(
          new MonitorCommand.Raise(
              Event.Severity.CRITICAL, name, "device.failed", known.life.sentence()));
      tellExports();
    } else {
      begin(known);
      tellExports();
    }
    return this;
  }

  private void statuses(HostCommand.Statuses ask) {
    List<String> names = new ArrayList<>(devices.keySet());
    if (names.isEmpty()) {
      ask.replyTo().tell(List.of());
      return;
    }
    Map<String, ActorRef<DeviceCommand>> actors = new TreeMap<>();
    List<DeviceStatus> known = new ArrayList<>();
    devices.forEach((name, device) -> {
      ActorRef<DeviceCommand> actor = device.actor;
      if (actor != null) {
        actors.put(name, actor);
      } else {
        known.add(Gathering.silent(device.settings, device.life));
      }
    });
    getContext()
        .spawnAnonymous(
            Gathering.create(
                actors,
                known,
                STATUS_WAIT,
                statuses ->
                    ask.replyTo()
                        .tell(
                            statuses.stream()
                                .sorted(
                                    Comparator.comparingInt(DeviceStatus::badness)
                                        .thenComparing(DeviceStatus::name))
                                .toList())));
  }

  // Shutting down.

  private Behavior<HostCommand> shutdown(HostCommand.Shutdown ask) {
    if (shutdown != null) {
      return this;
    }
    shutdown = ask;
    timers.startSingleTimer(
        new HostCommand.ShutdownOverdue(), Duration.ofNanos(Math.max(1, ask.drainNanos())));
    long deviceNanos = ask.drainNanos() * 85 / 100;
    ActorRef<Done> ignore = getContext().getSystem().ignoreRef();
    listeners.forEach(
        listener -> listener.tell(new NbdFrontend.Stop(Duration.ofNanos(deviceNanos), ignore)));
    List<String> names = new ArrayList<>(devices.keySet());
    for (String name : names) {
      Known known = devices.get(name);
      ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
      if (known == null || actor == null) {
        devices.remove(name);
        continue;
      }
      askToStop(
          known,
          actor,
          true,
          deviceNanos * 95 / 100,
          Duration.ofNanos(Math.max(1, deviceNanos)),
          (answer, failure) -> new HostCommand.Drained(name));
    }
    return devices.isEmpty() ? stopSpares() : this;
  }

  private Behavior<HostCommand> drained(String name) {
    Known known = devices.remove(name);
    ActorRef<DeviceCommand> actor = known == null ? null : known.actor;
    if (actor != null) {
      getContext().unwatch(actor);
      getContext().stop(actor);
    }
    return devices.isEmpty() ? stopSpares() : this;
  }

  private Behavior<HostCommand> stopSpares() {
    HostCommand.Shutdown ask = shutdown;
    if (ask == null || shutdownStep == ShutdownStep.SPARES) {
      return this;
    }
    shutdownStep = ShutdownStep.SPARES;
    Duration share = Duration.ofNanos(Math.max(1, ask.drainNanos() / 10));
    OneAnswer.ask(
        getContext(),
        SpareReply.class,
        spares,
        share.plusMillis(100),
        replyTo -> new SpareCommand.Stop(share.toNanos(), replyTo),
        (reply, failure) ->
            new HostCommand.SparesStopped(
                reply instanceof SpareReply.Stopped stopped
                    ? stopped.leftBehind()
                    : List.of("spares did not end in time")));
    return this;
  }

  private Behavior<HostCommand> farewell() {
    HostCommand.Shutdown ask = shutdown;
    if (ask != null) {
      ask.replyTo().tell(new HostCommand.Farewell(leftBehind));
    }
    return Behaviors.stopped();
  }
}

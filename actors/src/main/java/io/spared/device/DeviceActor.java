package io.spared.device;

import io.spared.device.LifeCycle.Ask;
import io.spared.device.LifeCycle.Disposition;
import io.spared.device.LifeCycle.Effect;
import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.format.Change;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataReply;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.queue.QueueCommand;
import io.spared.relocation.RelocatorCommand;
import io.spared.remap.Explanation;
import io.spared.remap.Lookup;
import io.spared.spare.SpareReply;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One device: takes what it is asked, lets {@link LifeCycle} decide, and does what that says. What
 * goes on while it is put together is in {@link Assembly}, while it serves in {@link Serving},
 * while it ends in {@link Draining}.
 *
 * <p>Invariant: whatever was taken for an assembling (ports, main, spares, children) belongs to its
 * {@link Run} from the moment it is taken, and {@link Run#end} is called whenever that assembling
 * is over: by {@link #giveBack}, and after a crash of this actor by PostStop, whatever else fails
 * there. So no end of a device, however bad, keeps a disk busy for the next assembling; only the
 * kernel can.
 *
 * <p>Crashes: of its metadata writer, its relocator, a disk actor or the actor of one of its
 * spares: everything is abandoned and the device is assembled again from its disks, three times in
 * ten minutes at most. Of a frontend: its queue ends by itself; if it cannot within the deadline of
 * a request, as before. Of the scrubber, or of what moves the blocks of a spare: it is started
 * again, the scrubber after the third time an hour later. Of this actor: the host makes a new one,
 * which assembles. docs/internals/supervision.md tells all.
 */
public final class DeviceActor extends AbstractBehavior<DeviceCommand> {
  /** Questions for a queue that are kept while the device is assembled. */
  private static final int MOST_HELD = 64;

  /** Tries again after so long when a disk is missing or busy. */
  private static final Duration[] RETRIES = {
    Duration.ofMillis(250), Duration.ofSeconds(1), Duration.ofSeconds(2), Duration.ofSeconds(5)
  };

  private static final Duration STATUS_WAIT = Duration.ofMillis(300);

  private final DeviceParts parts;
  private final TimerScheduler<DeviceCommand> timers;
  private final ArrayDeque<DeviceCommand.OpenQueue> held = new ArrayDeque<>();
  private final ArrayDeque<ActorRef<DeviceCommand.Description>> heldDescriptions =
      new ArrayDeque<>();
  private final List<ActorRef<Answer>> stopAskers = new ArrayList<>();
  private final List<ActorRef<DeviceStatus>> statusAskers = new ArrayList<>();
  private final List<ActorRef<Answer>> repairAskers = new ArrayList<>();
  private final List<ActorRef<Answer>> scrubAskers = new ArrayList<>();
  private final Map<ActorRef<?>, Integer> frontends = new LinkedHashMap<>();
  private DeviceSettings settings;
  private Life life;
  private Run run;
  private @Nullable Assembly assembly;
  private @Nullable Serving serving;
  private @Nullable Draining draining;
  private @Nullable Freezing freezing;
  private @Nullable Instant servingSince;
  private boolean metadataTold;
  private int retries;
  private int restarts;
  private long lastRun;
  private long drainNanos;

  /** Somebody used main without spared; who starts the device after that has been told so. */
  private boolean mainRefused;

  private boolean mainAccepted;

  /** This host has run it at a newer state; the same. */
  private boolean olderRefused;

  private boolean olderAccepted;

  /** Who started it said that the host that owns it is dead; until it serves or is started anew. */
  private boolean takingOver;

  /** Who started it gives spares up; until that is judged, or could not be in so many tries. */
  private Optional<DeviceCommand.Start> startWish = Optional.empty();

  private int wishTries;

  private DeviceActor(
      ActorContext<DeviceCommand> context,
      TimerScheduler<DeviceCommand> timers,
      DeviceParts parts,
      DeviceSettings settings,
      Life life) {
    super(context);
    this.timers = timers;
    this.parts = parts;
    this.settings = settings;
    this.life = life;
    this.drainNanos = settings.deadlines().drain().toNanos();
    this.run = newRun();
    // Nothing is taken before the actor is there to give it back.
    run.tell(new DeviceNews.AssembleNow(run.number));
  }

  /** To be spawned on the device's home ring. */
  public static Behavior<DeviceCommand> create(
      DeviceParts parts, DeviceSettings settings, Life life) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new DeviceActor(context, timers, parts, settings, life)));
  }

  private Run newRun() {
    return new Run(++lastRun, parts, settings, getContext(), timers);
  }

  @Override
  public Receive<DeviceCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(DeviceCommand.class, this::on)
        .onSignal(ChildFailed.class, failed -> childEnded(failed, failed.cause()))
        .onSignal(Terminated.class, ended -> childEnded(ended, null))
        .onSignal(
            PostStop.class,
            stopped -> {
              stopped();
              return this;
            })
        .build();
  }

  private Behavior<DeviceCommand> on(DeviceCommand command) {
    switch (command) {
      case DeviceCommand.Public asked -> asked(asked);
      case DeviceNews news -> {
        // News of an earlier assembling is nobody's: what it was about has gone back.
        if (news.run() == run.number) {
          news(news);
        }
      }
    }
    return this;
  }

  // What others ask.

  private void asked(DeviceCommand.Public command) {
    switch (command) {
      case DeviceCommand.OpenQueue open -> openQueue(open);
      case DeviceCommand.Describe describe -> describe.replyTo().tell(description());
      case DeviceCommand.DescribeWhenReady describe -> {
        if (life.phase() == Phase.ASSEMBLING && heldDescriptions.size() < MOST_HELD) {
          heldDescriptions.add(describe.replyTo());
        } else {
          describe.replyTo().tell(description());
        }
      }
      case DeviceCommand.Start start -> start(start);
      case DeviceCommand.Stop stop -> stop(stop);
      case DeviceCommand.Freeze freeze -> {
        if (mayGoOn(Ask.FREEZE, freeze.replyTo()) && !refusedWhileSwitching(freeze.replyTo())) {
          freeze(freeze.replyTo());
        }
      }
      case DeviceCommand.Thaw thaw -> {
        if (mayGoOn(Ask.THAW, thaw.replyTo()) && !refusedWhileSwitching(thaw.replyTo())) {
          thaw();
          thaw.replyTo().tell(new Answer.Done(settings.name() + " goes on"));
        }
      }
      case DeviceCommand.Scrub scrub -> {
        Serving now = serving;
        if (mayGoOn(Ask.SCRUB, scrub.replyTo()) && now != null) {
          now.scrub(scrub.surface());
          scrub
              .replyTo()
              .tell(
                  new Answer.Done(
                      scrub.surface()
                          ? "the surface scan goes on at full rate"
                          : "all copies are being read"));
        }
      }
      case DeviceCommand.Repair repair -> {
        Serving now = serving;
        if (mayGoOn(Ask.REPAIR, repair.replyTo()) && now != null) {
          repairAskers.add(repair.replyTo());
          now.repair();
        }
      }
      case DeviceCommand.AddSpare add -> {
        Serving now = serving;
        if (mayGoOn(Ask.CHANGE_SPARES, add.replyTo()) && now != null) {
          addSpare(now, add);
        }
      }
      case DeviceCommand.Evacuate evacuate -> {
        Serving now = serving;
        if (mayGoOn(Ask.CHANGE_SPARES, evacuate.replyTo()) && now != null) {
          now.spareLife().evacuate(evacuate.spare(), evacuate.giveUp(), evacuate.replyTo());
        }
      }
      case DeviceCommand.CancelEvacuation cancel -> {
        Serving now = serving;
        if (mayGoOn(Ask.CHANGE_SPARES, cancel.replyTo()) && now != null) {
          now.spareLife().cancel(cancel.spare(), cancel.replyTo());
        }
      }
      case DeviceCommand.Replace replace -> {
        Serving now = serving;
        if (mayGoOn(Ask.REPLACE, replace.replyTo()) && now != null) {
          replace(now, replace);
        }
      }
      case DeviceCommand.CancelReplace cancel -> {
        Serving now = serving;
        if (mayGoOn(Ask.REPLACE, cancel.replyTo()) && now != null) {
          now.replacement().cancel(cancel.replyTo());
        }
      }
      case DeviceCommand.Convert convert -> {
        Serving now = serving;
        if (mayGoOn(Ask.SET, convert.replyTo()) && now != null) {
          now.convert(convert.form(), convert.replyTo());
        }
      }
      case DeviceCommand.SetPolicy set -> setPolicy(set);
      case DeviceCommand.Reconfigure reconfigure -> reconfigure(reconfigure);
      case DeviceCommand.InjectFault fault -> fault.replyTo().tell(inject(fault));
      case DeviceCommand.GetStatus get -> status(get.replyTo());
      case DeviceCommand.Explain explain -> explain.replyTo().tell(explain(explain.sector()));
      case DeviceCommand.Members members ->
          members
              .replyTo()
              .tell(
                  serving == null
                      ? List.of()
                      : serving.image().spares().values().stream()
                          .map(spare -> spare.index() + " " + spare.spareId() + " " + spare.state())
                          .toList());
    }
  }

  /** Answers for the device's phase; true when the command is to be done now. */
  private boolean mayGoOn(Ask ask, ActorRef<Answer> replyTo) {
    return switch (LifeCycle.answer(life, ask)) {
      case Disposition.Now now -> true;
      case Disposition.Hold hold -> {
        replyTo.tell(new Answer.Refused("it " + life.sentence() + "; try again"));
        yield false;
      }
      case Disposition.Already already -> {
        replyTo.tell(new Answer.Done(already.sentence()));
        yield false;
      }
      case Disposition.Refuse refuse -> {
        replyTo.tell(new Answer.Refused(refuse.sentence()));
        yield false;
      }
    };
  }

  private void start(DeviceCommand.Start start) {
    if (start.giveUp().isEmpty()) {
      if (mayGoOn(Ask.START, start.replyTo())) {
        startNow(start);
        start.replyTo().tell(new Answer.Done(settings.name() + " is being assembled"));
      }
      return;
    }
    if (life.phase().serves()) {
      start
          .replyTo()
          .tell(
              new Answer.Refused(
                  settings.name()
                      + " is served already; a spare that does not come back is given up with"
                      + " spared ctl evacuate "
                      + settings.name()
                      + " N --give-up"));
    } else if (startWish.isPresent()) {
      start
          .replyTo()
          .tell(new Answer.Refused("a spare of it is being given up already; wait for that"));
    } else if (life.phase() == Phase.ASSEMBLING) {
      takingOver |= start.takeOver();
      giveBack();
      wish(start);
      retries = 0;
      run = newRun();
      run.later("assemble", RETRIES[0].toNanos(), new DeviceNews.AssembleNow(run.number));
    } else if (mayGoOn(Ask.START, start.replyTo())) {
      wish(start);
      startNow(start);
    }
  }

  private void wish(DeviceCommand.Start start) {
    startWish = Optional.of(start);
    wishTries = RETRIES.length;
  }

  private void startNow(DeviceCommand.Start start) {
    restarts = 0;
    mainAccepted = mainRefused;
    olderAccepted = olderRefused;
    takingOver = start.takeOver();
    take(new Fact.StartAsked());
  }

  private void replace(Serving now, DeviceCommand.Replace replace) {
    if (replace.address().equals(now.main().address()) || now.uses(replace.address())) {
      replace
          .replyTo()
          .tell(new Answer.Refused(replace.address() + ": is used by this device already"));
      return;
    }
    now.replacement().begin(replace.address(), replace.bytesPerSecond(), replace.replyTo());
  }

  private boolean isSwitching() {
    Serving now = serving;
    return now != null && now.replacement().isSwitching();
  }

  private boolean refusedWhileSwitching(ActorRef<Answer> replyTo) {
    if (isSwitching()) {
      replyTo.tell(new Answer.Refused("main is being switched over; try again in a moment"));
      return true;
    }
    return false;
  }

  private void openQueue(DeviceCommand.OpenQueue open) {
    if (isSwitching() && life.phase().serves() && held.size() < MOST_HELD) {
      held.add(open);
      return;
    }
    switch (LifeCycle.answer(life, Ask.OPEN_QUEUE)) {
      case Disposition.Now now -> openNow(open);
      case Disposition.Hold hold -> {
        if (held.size() < MOST_HELD) {
          held.add(open);
        } else {
          open.replyTo()
              .tell(
                  new DeviceCommand.QueueOpening.NotOpened(
                      "too many wait for " + settings.name() + " already", true));
        }
      }
      case Disposition.Already already ->
          open.replyTo().tell(new DeviceCommand.QueueOpening.NotOpened(already.sentence(), true));
      case Disposition.Refuse refuse ->
          open.replyTo()
              .tell(
                  new DeviceCommand.QueueOpening.NotOpened(
                      refuse.sentence(), life.phase() == Phase.DRAINING));
    }
  }

  private void openNow(DeviceCommand.OpenQueue open) {
    Serving now = serving;
    if (now == null || now.queues().count() >= OpenQueues.MOST) {
      open.replyTo()
          .tell(
              new DeviceCommand.QueueOpening.NotOpened(
                  settings.name() + " has " + OpenQueues.MOST + " queues, which is the most",
                  true));
      return;
    }
    var context = now.open(open.user(), open.frontend());
    frontends.put(open.frontend(), context.queueId());
    getContext().watch(open.frontend());
    open.replyTo().tell(new DeviceCommand.QueueOpening.Opened(context));
    if (life.frozen() || freezing != null) {
      open.frontend().tell(new QueueCommand.Freeze(0));
    }
    now.happened(Event.Severity.INFO, "queue.opened", open.user() + " uses it");
  }

  private DeviceCommand.Description description() {
    Serving now = serving;
    return new DeviceCommand.Description(
        settings.name(),
        now == null ? Optional.empty() : Optional.of(now.image().deviceId()),
        settings.description(),
        life.phase(),
        now == null ? 0 : now.image().geometry().deviceBytes(),
        now == null ? 512 : now.image().geometry().sectorBytes(),
        now == null ? 4096 : now.image().geometry().blockBytes(),
        settings.readOnly(),
        now == null ? List.of() : geometries(now));
  }

  private static List<DiskGeometry> geometries(Serving now) {
    List<DiskGeometry> all = new ArrayList<>();
    all.add(now.main().geometry());
    now.spares().values().forEach(spare -> all.add(spare.disk().geometry()));
    return all;
  }

  private void stop(DeviceCommand.Stop stop) {
    if (!mayGoOn(Ask.STOP, stop.replyTo())) {
      return;
    }
    Serving now = serving;
    if (now != null && life.phase().serves() && !stop.force()) {
      List<String> users = now.queues().users();
      if (!users.isEmpty()) {
        stop.replyTo()
            .tell(
                new Answer.Refused(
                    settings.name()
                        + " is used by "
                        + String.join(", ", users)
                        + "; end that first, or use --force"));
        return;
      }
    }
    stopAskers.add(stop.replyTo());
    drainNanos = stop.drainNanos() > 0 ? stop.drainNanos() : drainNanos;
    take(new Fact.StopAsked());
  }

  /** Whatever ended it. */
  private void answerStopped() {
    if (life.phase().ended()) {
      stopAskers.forEach(
          asker -> asker.tell(new Answer.Done(settings.name() + " " + life.sentence())));
      stopAskers.clear();
    }
  }

  private void freeze(ActorRef<Answer> replyTo) {
    Serving now = serving;
    if (now == null) {
      return;
    }
    Freezing going = freezing;
    if (going != null) {
      going.alsoTell(replyTo);
      return;
    }
    freezing = new Freezing(run, now, replyTo);
  }

  private void thaw() {
    Freezing going = freezing;
    if (going != null) {
      going.giveUp("it was thawed meanwhile");
      freezing = null;
    }
    Serving now = serving;
    if (now != null) {
      now.queues().tellAll(new QueueCommand.Thaw());
    }
    take(new Fact.Thawed());
  }

  private void setPolicy(DeviceCommand.SetPolicy set) {
    Serving now = serving;
    if (!mayGoOn(Ask.SET, set.replyTo()) || now == null) {
      return;
    }
    String fixedAt = settings.overrides().get(set.name());
    if (fixedAt != null) {
      set.replyTo()
          .tell(
              new Answer.Refused(
                  set.name() + " is set by the configuration (" + fixedAt + "); change it there"));
      return;
    }
    Policy.Reading reading = Policy.read(set.name(), set.value());
    if (reading.problem().isPresent()) {
      set.replyTo().tell(new Answer.Refused(reading.problem().get()));
      return;
    }
    settings = reading.apply(settings);
    now.settingsChanged(settings);
    now.commits()
        .ask(
            List.of(new Change.PolicySet(set.name(), set.value())),
            new Commits.Purpose.Policy(
                set.name() + " is " + set.value() + " from now on", set.replyTo()),
            run.nowNanos());
  }

  private void addSpare(Serving now, DeviceCommand.AddSpare add) {
    if (add.address().equals(settings.main()) || now.uses(add.address())) {
      add.replyTo().tell(new Answer.Refused(add.address() + ": is used by this device already"));
      return;
    }
    now.spareLife().add(add.address(), add.leaves(), add.replyTo());
  }

  /** What is known of disks beyond serving follows its spares. */
  private SpareLife.Disks keeper() {
    return spare -> {
      // From before the commit that makes it needed.
      if (!settings.spares().contains(spare.address())) {
        List<DiskAddress> all = new ArrayList<>(settings.spares());
        all.add(spare.address());
        settings = settings.withSpares(all);
      }
    };
  }

  private void reconfigure(DeviceCommand.Reconfigure reconfigure) {
    DeviceSettings next = reconfigure.settings();
    boolean sameDisks =
        next.main().equals(settings.main())
            && next.spares().equals(settings.spares())
            && next.frontend() == settings.frontend()
            && next.readOnly() == settings.readOnly();
    if (!sameDisks) {
      reconfigure
          .replyTo()
          .tell(
              new Answer.Refused(
                  settings.name()
                      + ": its disks or its frontend changed; that needs stop and start"));
      return;
    }
    settings = next;
    if (serving != null) {
      serving.settingsChanged(next);
    }
    reconfigure.replyTo().tell(new Answer.Done(settings.name() + ": applied"));
  }

  private Answer inject(DeviceCommand.InjectFault fault) {
    Disk disk = null;
    if (serving != null) {
      disk =
          fault.disk().equals("new")
              ? serving.replacement().openDisk()
              : serving.disks().withRole(fault.disk());
    } else if (fault.disk().equals("main")) {
      disk = run.main().disk();
    }
    if (disk == null) {
      return new Answer.Refused(
          settings.name() + " has no open disk " + fault.disk() + "; name main, spare-0, ...");
    }
    return Faults.inject(parts.faults(), disk, fault.rule());
  }

  private Answer explain(long sector) {
    Serving now = serving;
    if (now == null) {
      return new Answer.Refused(settings.name() + " " + life.sentence());
    }
    Optional<String> refusal = Explanation.refusal(now.image(), sector);
    if (refusal.isPresent()) {
      return new Answer.Refused(refusal.get());
    }
    Lookup found = new Lookup();
    now.table().find(Explanation.blockOf(now.image(), sector), found);
    return new Answer.Done(Explanation.of(now.image(), sector, found));
  }

  // What its parts tell.

  private void news(DeviceNews news) {
    Assembly assembling = assembly;
    if (assembling != null && life.phase() == Phase.ASSEMBLING) {
      if (news instanceof DeviceNews.PartCrashed crashed) {
        crashed(crashed.part(), crashed.cause());
      } else if (news instanceof DeviceNews.AssembleNow) {
        assemble();
      } else {
        assembling.on(news).ifPresent(this::assembled);
      }
      return;
    }
    Serving now = serving;
    switch (news) {
      case DeviceNews.AssembleNow again -> {
        if (life.phase() == Phase.ASSEMBLING) {
          assemble();
        }
      }
      case DeviceNews.PartCrashed crashed -> crashed(crashed.part(), crashed.cause());
      case DeviceNews.FromQueue from -> {
        if (now != null) {
          takeAll(now.on(from.report()));
          step();
          answerStatusWhenTold();
        }
      }
      case DeviceNews.FromRelocator from -> {
        if (now != null) {
          takeAll(now.on(from.request()));
          step();
        }
      }
      case DeviceNews.FromMetadata from -> fromMetadata(from.reply());
      case DeviceNews.MetadataTold told -> {
        if (now != null) {
          takeAll(now.on(told.event()));
        }
      }
      case DeviceNews.FromDisk from -> {
        if (now != null) {
          takeAll(now.on(from.report()));
        }
      }
      case DeviceNews.FromSpares from -> {
        if (now != null) {
          now.on(from.reply());
        }
      }
      case DeviceNews.ChangingSpare changing -> {
        if (now != null) {
          now.spareLife().onChange(changing.reply());
        }
      }
      case DeviceNews.LeavingSpare leaving -> {
        if (now != null) {
          now.spareLife().onLeaving(leaving.reply());
        }
      }
      case DeviceNews.AwaySpare away -> {
        if (now != null) {
          takeAll(now.spareLife().onAway(away.reply()));
        }
      }
      case DeviceNews.AwaySpareAnswered answered -> {
        if (now != null) {
          takeAll(now.spareLife().awaySpareAnswered());
        }
      }
      case DeviceNews.LookForSpares look -> {
        if (now != null) {
          now.spareLife().lookForAway();
        }
      }
      case DeviceNews.SpareRemembered remembered -> {
        if (now != null) {
          now.spareLife().remembered(remembered.problem());
        }
      }
      case DeviceNews.FailedSpareLeaves leaves -> {
        if (now != null) {
          now.spareLife().failedSpareLeaves(leaves.index(), leaves.answer());
        }
      }
      case DeviceNews.FromEvacuator from -> {
        Evacuation going = now == null ? null : now.spareLife().evacuation();
        if (going != null) {
          going.on(from.request());
        }
      }
      case DeviceNews.LookAtEvacuation look -> {
        Evacuation going = now == null ? null : now.spareLife().evacuation();
        if (going != null) {
          going.look();
        }
      }
      case DeviceNews.FromScrubber from -> {
        if (now != null) {
          now.scrubbing().on(from.request());
        }
      }
      case DeviceNews.DiskProved proved -> {
        if (now != null) {
          now.proved(proved);
        }
      }
      case DeviceNews.FaultProved proved -> {
        if (now != null) {
          now.proved(proved);
        }
      }
      case DeviceNews.DisksAnswered answered -> {
        if (now != null) {
          now.disks().flushes().answered();
          Draining going = draining;
          if (going != null) {
            going.disksAnswered();
          }
          step();
        }
      }
      case DeviceNews.DrainOverdue overdue -> {
        Draining going = draining;
        if (going != null) {
          going.overdue(overdue.stage());
          step();
        }
      }
      case DeviceNews.FreezeOverdue overdue -> {
        Freezing going = freezing;
        if (going != null) {
          going.giveUp("requests or a flush did not end in time; it goes on as before");
          freezing = null;
          if (now != null) {
            now.queues().tellAll(new QueueCommand.Thaw());
            now.replacement().step();
          }
        }
      }
      case DeviceNews.MainSwitched switched -> {
        run.mainIs(switched.claim());
        settings = settings.withMain(switched.address());
      }
      case DeviceNews.ForReplacement replacing -> {
        if (now != null) {
          takeAll(now.replacement().on(replacing));
          step();
        }
      }
      case DeviceNews.ForAwayMain away -> {
        if (now != null) {
          takeAll(now.awayMain().on(away));
        }
      }
      case DeviceNews.LabelAnswered answered -> {
        if (now != null) {
          now.labelAnswered();
        }
      }
      case DeviceNews.StatusOverdue late -> answerStatus();
      case DeviceNews.FrontendGone gone -> {
        if (now != null && now.queues().get(gone.queueId()) != null) {
          crashed("frontend", "it ended, and its queue does not end");
        }
      }
      case DeviceNews.ScrubberAgain again -> {
        if (now != null && life.phase().serves()) {
          now.scrubbing().begin();
        }
      }
      case DeviceNews.MainSeen seen -> {
        Draining going = draining;
        if (going != null) {
          going.mainSeen(seen.identity());
          step();
        }
      }
      case DeviceNews.MainOpened opened -> {}
      case DeviceNews.MainNotOpened not -> {}
      case DeviceNews.AssemblyOverdue late -> {}
    }
  }

  private void fromMetadata(MetadataReply reply) {
    Serving now = serving;
    if (now == null) {
      return;
    }
    takeAll(now.on(reply));
    switch (reply) {
      case MetadataReply.Status status -> {
        takeAll(now.judgeCopies());
        metadataTold = true;
        answerStatusWhenTold();
      }
      case MetadataReply.Repaired repaired -> {
        String sentence =
            "copies " + repaired.healthy() + " of " + repaired.copies() + " are whole";
        boolean all = repaired.healthy() == repaired.copies();
        for (ActorRef<Answer> asker : repairAskers) {
          asker.tell(
              all
                  ? new Answer.Done(sentence)
                  : new Answer.Refused(sentence + "; " + repaired.stillDamaged()));
        }
        repairAskers.clear();
        now.askMetadata();
      }
      case MetadataReply.Stopped stopped -> {
        Draining going = draining;
        if (going != null) {
          going.metadataStopped(stopped.heldWrites());
        }
      }
      default -> {}
    }
    step();
  }

  /** Whatever waits for others to end looks whether they have. */
  private void step() {
    Freezing freeze = freezing;
    if (freeze != null && freeze.step()) {
      freezing = null;
      take(new Fact.Frozen());
    }
    Serving now = serving;
    if (now != null) {
      now.replacement().step();
      while (!held.isEmpty() && life.phase().serves() && !isSwitching()) {
        openNow(held.remove());
      }
    }
    Draining drain = draining;
    if (drain != null && drain.step()) {
      take(new Fact.Drained());
    }
  }

  private void assembled(Fact fact) {
    Assembly done = assembly;
    Assembled all = done == null ? null : done.result();
    if (fact instanceof Fact.Assembled && done != null && all != null) {
      Serving begun =
          new Serving(run, all, done.metadataInbox(), () -> life.frozen() || freezing != null);
      serving = begun;
      mainAccepted = false;
      mainRefused = false;
      olderAccepted = false;
      olderRefused = false;
      takingOver = false;
      servingSince = parts.world().clock().now();
      retries = 0;
      settings = Policy.fromMetadata(settings, all.image().policy());
      serving.settingsChanged(settings);
      begun.scrubbing().begin();
      List<SpareReply.Attached> strangers = done.strangers();
      begun.begin(new SpareLife(run, begun, keeper()), strangers);
      take(new Fact.Assembled(serving.firstTroubles()));
      serving.askMetadata();
      done.gone().forEach(spare -> happened(Event.Severity.WARNING, "spare.given-up", spare));
      done.givingUp()
          .flatMap(GivingUp::begun)
          .ifPresent(lost -> happened(Event.Severity.CRITICAL, "spare.given-up", lost));
      startWish = Optional.empty();
      happened(
          Event.Severity.NOTICE,
          "device.active",
          "serves "
              + all.image().geometry().deviceBytes()
              + " bytes with "
              + serving.table().remapCount()
              + " remapped blocks, epoch "
              + all.image().epoch());
      return;
    }
    mainRefused = done != null && done.isMainRefused();
    // Who accepted the older state, and is told of another reason, need not accept it again.
    olderRefused = olderAccepted || (done != null && done.isOlderRefused());
    boolean judged = done != null && done.givingUp().map(GivingUp::isJudged).orElse(false);
    if (!(fact instanceof Fact.Blocked) || judged || --wishTries <= 0) {
      endWish(
          switch (fact) {
            case Fact.Blocked blocked -> blocked.reason();
            case Fact.Unusable unusable -> unusable.reason();
            default -> "it could not be assembled";
          });
    }
    take(fact);
    if (fact instanceof Fact.Blocked blocked) {
      if (done != null) {
        done.mainElsewhere().ifPresent(main -> settings = settings.withMain(main));
      }
      if (retries == 0) {
        happened(Event.Severity.WARNING, "device.waits", blocked.reason());
      }
      giveBack();
      Duration delay = RETRIES[Math.min(retries, RETRIES.length - 1)];
      retries++;
      run = newRun();
      run.later("assemble", delay.toNanos(), new DeviceNews.AssembleNow(run.number));
    }
  }

  /** The assembling that was to give spares up is over, and it does not serve. */
  private void endWish(String why) {
    DeviceCommand.Start wish = startWish.orElse(null);
    startWish = Optional.empty();
    Assembly done = assembly;
    Optional<GivingUp> giving = done == null ? Optional.empty() : done.givingUp();
    if (giving.isPresent()) {
      giving.get().ended(why);
    } else if (wish != null) {
      wish.replyTo().tell(new Answer.Refused(why));
    }
  }

  private Behavior<DeviceCommand> childEnded(Terminated ended, @Nullable Throwable cause) {
    Integer queueId = frontends.remove(ended.getRef());
    Serving now = serving;
    if (queueId != null) {
      OpenQueues.Open open = now == null ? null : now.queues().get(queueId);
      if (now != null && open != null && !open.begun) {
        now.forget(queueId);
        step();
      } else if (open != null) {
        // Its queue ends without it, once the kernel has let go of its requests.
        run.later(
            "frontend-" + queueId,
            settings.deadlines().request().toNanos(),
            new DeviceNews.FrontendGone(run.number, queueId));
      }
      return this;
    }
    String spare = run.reliedOn(ended.getRef());
    if (spare != null) {
      crashed(spare, "it ended");
      return this;
    }
    String part = run.ended(ended.getRef());
    if (part != null && cause != null) {
      getContext().getLog().error("{}: its {} crashed", settings.name(), part, cause);
      if (part.startsWith("scrubber") && now != null) {
        now.scrubbing().crashed();
      } else if (part.startsWith("evacuator") && now != null) {
        Evacuation going = now.spareLife().evacuation();
        if (going != null) {
          going.crashed();
        }
      } else {
        crashed(part, cause.toString());
      }
    }
    return this;
  }

  private void crashed(String part, String cause) {
    restarts++;
    take(new Fact.Crashed(part, cause, run.nowNanos()));
  }

  // What the life cycle says.

  private void takeAll(List<Fact> facts) {
    facts.forEach(this::take);
  }

  private void take(Fact fact) {
    LifeCycle.Step next = LifeCycle.next(life, fact);
    Life before = life;
    life = next.life();
    if (before.phase() != life.phase()) {
      happened(
          life.phase() == Phase.FAILED
              ? Event.Severity.CRITICAL
              : life.phase() == Phase.DEGRADED ? Event.Severity.WARNING : Event.Severity.INFO,
          "device." + life.phase().name().toLowerCase(java.util.Locale.ROOT),
          life.sentence());
    }
    tellTroubles(before);
    for (Effect effect : next.effects()) {
      act(effect);
    }
    answerStopped();
  }

  private void tellTroubles(Life before) {
    Map<Trouble, String> gone = new EnumMap<>(Trouble.class);
    gone.putAll(before.troubles());
    life.troubles()
        .forEach((trouble, sentence) -> {
          gone.remove(trouble);
          if (!sentence.equals(before.troubles().get(trouble))) {
            parts
                .monitor()
                .tell(
                    new MonitorCommand.Raise(
                        Event.Severity.WARNING, settings.name(), kind(trouble), sentence));
          }
        });
    gone.keySet()
        .forEach(trouble ->
            parts.monitor().tell(new MonitorCommand.Clear(settings.name(), kind(trouble))));
  }

  private static String kind(Trouble trouble) {
    return "trouble." + trouble.name().toLowerCase(java.util.Locale.ROOT);
  }

  private void act(Effect effect) {
    switch (effect) {
      case Effect.Assemble now -> {
        run = newRun();
        assemble();
      }
      case Effect.AssembleAfter after ->
          run.later("assemble", after.delayNanos(), new DeviceNews.AssembleNow(run.number));
      case Effect.Serve serve -> {
        while (!heldDescriptions.isEmpty()) {
          heldDescriptions.remove().tell(description());
        }
        while (!held.isEmpty()) {
          openNow(held.remove());
        }
      }
      case Effect.RefuseHeld refuse -> refuseHeld(refuse.sentence());
      case Effect.Drain drain -> {
        refuseHeld("the device is being stopped");
        Serving now = serving;
        if (now != null) {
          Freezing freeze = freezing;
          if (freeze != null) {
            freeze.giveUp("the device is being stopped");
            freezing = null;
          }
          draining = new Draining(run, now, drainNanos);
          step();
        }
      }
      case Effect.Abandon abandon -> {
        endWish("the device ended meanwhile; see its status");
        giveBack();
        run = newRun();
      }
      case Effect.Release release -> {
        endWish("the device ended meanwhile; see its status");
        giveBack();
        run = newRun();
      }
    }
  }

  private void refuseHeld(String sentence) {
    while (!heldDescriptions.isEmpty()) {
      heldDescriptions.remove().tell(description());
    }
    while (!held.isEmpty()) {
      held.remove().replyTo().tell(new DeviceCommand.QueueOpening.NotOpened(sentence, false));
    }
  }

  private void assemble() {
    Assembly next = new Assembly(run, mainAccepted, olderAccepted, takingOver, startWish);
    assembly = next;
    next.begin();
  }

  /**
   * However this actor ends: whoever waits is told, and all goes back whatever fails on the way.
   */
  private void stopped() {
    try {
      endWish("the device's actor ended; see its status");
      giveBack();
      act(new Effect.RefuseHeld("the device's actor ended; try again"));
      refuseAll(stopAskers, "the device's actor ended; see its status");
    } finally {
      run.end();
    }
  }

  /** Ends every part and gives the disks back, in whatever state all that is. */
  private void giveBack() {
    Serving now = serving;
    Assembly assembling = assembly;
    if (now == null && assembling != null) {
      assembling.abandon();
    }
    if (now != null) {
      now.queues().tellAll(new QueueCommand.Abandon());
      now.relocator().tell(new RelocatorCommand.Abandon());
      now.writer().tell(new MetadataCommand.Stop(Duration.ofMillis(100), now.metadataInbox()));
      run.leave(now.relocator());
      run.leave(now.writer());
      now.spareLife().giveUp();
      now.release();
    }
    run.end();
    frontends.keySet().forEach(frontend -> getContext().unwatch(frontend));
    frontends.clear();
    refuseAll(repairAskers, "the device ended meanwhile");
    refuseAll(scrubAskers, "the device ended meanwhile");
    Freezing freeze = freezing;
    if (freeze != null) {
      freeze.giveUp("the device ended meanwhile");
    }
    serving = null;
    assembly = null;
    draining = null;
    freezing = null;
    servingSince = null;
    answerStatus();
  }

  private static void refuseAll(List<ActorRef<Answer>> askers, String sentence) {
    askers.forEach(asker -> asker.tell(new Answer.Refused(sentence)));
    askers.clear();
  }

  private void happened(Event.Severity severity, String kind, String sentence) {
    parts.monitor().tell(new MonitorCommand.Happened(severity, settings.name(), kind, sentence));
  }

  // Status.

  private void status(ActorRef<DeviceStatus> replyTo) {
    statusAskers.add(replyTo);
    Serving now = serving;
    if (now == null) {
      answerStatus();
    } else if (statusAskers.size() == 1) {
      metadataTold = false;
      now.queues().askCounts();
      now.askMetadata();
      run.later("status", STATUS_WAIT.toNanos(), new DeviceNews.StatusOverdue(run.number));
    }
  }

  /** Once the metadata writer and every queue have told how they stand. */
  private void answerStatusWhenTold() {
    Serving now = serving;
    if (metadataTold && now != null && now.queues().allCounted()) {
      answerStatus();
    }
  }

  private void answerStatus() {
    if (statusAskers.isEmpty()) {
      return;
    }
    DeviceStatus status =
        StatusOf.device(
            settings,
            life,
            Optional.ofNullable(serving),
            held.size(),
            restarts,
            Optional.ofNullable(servingSince));
    statusAskers.forEach(asker -> asker.tell(status));
    statusAskers.clear();
    run.notLater("status");
  }
}

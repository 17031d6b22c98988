package io.spared.discovery;

import io.spared.device.DiskClaim;
import io.spared.discovery.DiscoveryCommand.AutomaticSet;
import io.spared.discovery.DiscoveryCommand.ScanReport;
import io.spared.discovery.DiscoveryCommand.Stopped;
import io.spared.discovery.Judgement.Decision;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Epoch;
import io.spared.format.Position;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.ring.OneAnswer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * Looks at all disks, has {@link SetUpJudge} decide, and asks its owner to start what is certain:
 * after the start, while disks still appear, on command, and when the kernel tells of a disk.
 *
 * <p>One scan at a time; triggers meanwhile become one scan afterwards. A set-up is asked for once:
 * what the owner supervises already, and what was asked for and not answered yet, counts as active.
 * Even if all of that failed, a second activation would be refused by the exclusive claims on the
 * disks.
 *
 * <p>A crash of this actor costs the scan that ran: it writes nothing to any disk. It is started
 * again, and looks again.
 */
public final class Discovery extends AbstractBehavior<DiscoveryCommand> {
  /** How soon a disk that found no free buffer asks again. */
  private static final Duration BUFFER_RETRY = Duration.ofMillis(10);

  /** Scans are counted from 1. */
  private static final long NO_SCAN = 0;

  private final DiscoveryParts parts;
  private final DiscoverySettings settings;
  private final ActorRef<DiscoveryRequest> owner;
  private final TimerScheduler<DiscoveryCommand> timers;
  private final Completions completions;
  private final Map<Long, DiskProbe> probes = new HashMap<>();
  private final Set<UUID> asked = new HashSet<>();
  private final Map<UUID, Epoch> noted = new HashMap<>();
  private final Map<UUID, String> lastAudited = new HashMap<>();
  private final List<ActorRef<ScanReport>> nextAskers = new ArrayList<>();
  private final Set<UUID> forbidden = new HashSet<>();
  private @Nullable ScanRun scan;
  private @Nullable String nextWhy;
  private boolean nextActivates;
  private ScanReport last;
  private Optional<Boolean> saidByPerson = Optional.empty();
  private long numbers;
  private int retriesUsed;
  private boolean delayed = true;
  private OptionalLong changesSinceNanos = OptionalLong.empty();
  private Set<BlockDevice> listed = Set.of();
  private @Nullable ActorRef<Stopped> stopping;

  private Discovery(
      ActorContext<DiscoveryCommand> context,
      TimerScheduler<DiscoveryCommand> timers,
      DiscoveryParts parts,
      DiscoverySettings settings,
      ActorRef<DiscoveryRequest> owner) {
    super(context);
    this.timers = timers;
    this.parts = parts;
    this.settings = settings;
    this.owner = owner;
    ActorRef<DiscoveryCommand> self = context.getSelf();
    DiscoveryNews.IoEnded ended = new DiscoveryNews.IoEnded();
    this.completions = new Completions(() -> self.tell(ended));
    this.last =
        new ScanReport("no scan yet", List.of(), 0, List.of(), List.of(), isAutomatic(), false);
    timers.startSingleTimer("due", new DiscoveryNews.Due("after the start"), settings.delay());
    timers.startSingleTimer("look", new DiscoveryNews.LookAgain(), settings.lookInterval());
  }

  /** To be spawned on the dispatcher of the ring whose engine is among the parts. */
  public static Behavior<DiscoveryCommand> create(
      DiscoveryParts parts, DiscoverySettings settings, ActorRef<DiscoveryRequest> owner) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new Discovery(context, timers, parts, settings, owner)));
  }

  @Override
  public Receive<DiscoveryCommand> createReceive() {
    return newReceiveBuilder().onMessage(DiscoveryCommand.class, this::on).build();
  }

  private Behavior<DiscoveryCommand> on(DiscoveryCommand command) {
    switch (command) {
      case DiscoveryCommand.Scan c -> scanAsked(c);
      case DiscoveryCommand.DiskChanged c -> diskChanged(c);
      case DiscoveryCommand.GetReport c -> c.replyTo().tell(last);
      case DiscoveryCommand.SetAutomatic c -> setAutomatic(c);
      case DiscoveryCommand.Ran c -> ran(c.deviceId(), c.position());
      case DiscoveryCommand.Stop c -> stop(c);
      case DiscoveryNews.LookAgain _ -> look();
      case DiscoveryNews.Looked news -> looked(news);
      case DiscoveryNews.Due news -> due(news);
      case DiscoveryNews.Listed news -> listed(news);
      case DiscoveryNews.GivenUp news -> giveUp(news.scan(), news.sentence());
      case DiscoveryNews.ServedNow news -> servedNow(news);
      case DiscoveryNews.ListOverdue news ->
          giveUp(news.scan(), "the system did not list its disks in time");
      case DiscoveryNews.Opened news -> probe(news.probe(), DiskProbe::opened);
      case DiscoveryNews.NotOpened news -> {
        probe(news.probe(), probe -> probe.notOpened(news.sentence()));
        probes.remove(news.probe());
      }
      case DiscoveryNews.IoEnded _ -> ioEnded();
      case DiscoveryNews.ProbeOverdue news -> probe(news.probe(), this::overdue);
      case DiscoveryNews.TryBuffers _ -> tryBuffers();
      case DiscoveryNews.Judged news -> judged(news);
      case DiscoveryNews.Answered news -> answered(news);
      case DiscoveryNews.Closed news -> probes.remove(news.probe());
    }
    return stoppedIfDone();
  }

  private boolean isAutomatic() {
    return !settings.kernelForbids() && saidByPerson.orElse(settings.automatic());
  }

  // Triggers.

  private void scanAsked(DiscoveryCommand.Scan command) {
    if (stopping != null) {
      command
          .replyTo()
          .tell(
              new ScanReport(
                  command.why(),
                  List.of(),
                  0,
                  List.of("the daemon is stopping"),
                  List.of(),
                  isAutomatic(),
                  false));
      return;
    }
    nextAskers.add(command.replyTo());
    want(command.why(), command.activate());
  }

  /**
   * Waits until it is quiet, but not for ever: a disk that comes and goes all the time must not
   * hide the others. Before the first scan there is nothing to do: it sees every disk, and the wait
   * before it is as long as the configuration says.
   */
  private void diskChanged(DiscoveryCommand.DiskChanged news) {
    if (stopping != null || delayed) {
      return;
    }
    retriesUsed = 0;
    long now = parts.engine().nanoTime();
    if (changesSinceNanos.isEmpty()) {
      changesSinceNanos = OptionalLong.of(now);
    }
    if (now - changesSinceNanos.getAsLong() > settings.lookInterval().toNanos()
        && timers.isTimerActive("due")) {
      return;
    }
    timers.startSingleTimer(
        "due", new DiscoveryNews.Due("a change of " + news.kernelName()), settings.settle());
  }

  private void due(DiscoveryNews.Due news) {
    delayed = false;
    changesSinceNanos = OptionalLong.empty();
    want(news.why(), true);
  }

  /** One question at a time: a list that does not come is not asked for again. */
  private void look() {
    ActorRef<DiscoveryCommand> self = getContext().getSelf();
    DiskCatalog catalog = parts.catalog();
    parts
        .blocking()
        .execute(() -> {
          Set<BlockDevice> devices;
          try {
            devices = new HashSet<>(catalog.list());
          } catch (RuntimeException e) {
            // The next scan tells of it.
            devices = Set.of();
          }
          self.tell(new DiscoveryNews.Looked(devices));
        });
  }

  /** Once for each start of a device, however it came to be started. */
  private void noteServed(DiscoveryRequest.Served served) {
    served
        .positions()
        .forEach((deviceId, position) -> {
          if (!position.epoch().equals(noted.put(deviceId, position.epoch()))) {
            ran(deviceId, position);
          }
        });
  }

  /** Devices that are configured start without a word to discovery. */
  private void askWhatIsServed() {
    OneAnswer.ask(
        getContext(),
        DiscoveryRequest.Served.class,
        owner,
        settings.answerDeadline(),
        DiscoveryRequest.WhatIsServed::new,
        (served, late) ->
            served == null
                ? new DiscoveryNews.GivenUp(NO_SCAN, "nobody said in time what is served")
                : new DiscoveryNews.ServedNow(NO_SCAN, served));
  }

  private void looked(DiscoveryNews.Looked news) {
    if (stopping != null) {
      return;
    }
    askWhatIsServed();
    timers.startSingleTimer("look", new DiscoveryNews.LookAgain(), settings.lookInterval());
    for (BlockDevice device : news.devices()) {
      if (!listed.isEmpty() && !listed.contains(device)) {
        diskChanged(new DiscoveryCommand.DiskChanged(device.kernelName()));
        break;
      }
    }
    listed = news.devices();
  }

  private void want(String why, boolean activate) {
    if (stopping != null) {
      return;
    }
    nextWhy = why;
    nextActivates = nextActivates || activate;
    beginNext();
  }

  private void beginNext() {
    String why = nextWhy;
    if (scan != null || why == null || stopping != null) {
      return;
    }
    ScanRun run = new ScanRun(++numbers, why, nextActivates);
    run.askers.addAll(nextAskers);
    nextAskers.clear();
    nextWhy = null;
    nextActivates = false;
    scan = run;
    prepare(run);
  }

  // A scan: list, read, judge, ask.

  private void prepare(ScanRun run) {
    long number = run.number;
    ActorRef<DiscoveryCommand> self = getContext().getSelf();
    DiskCatalog catalog = parts.catalog();
    HostMemory memory = parts.memory();
    parts
        .blocking()
        .execute(() -> {
          try {
            self.tell(new DiscoveryNews.Listed(number, catalog.list(), memory.read()));
          } catch (RuntimeException e) {
            self.tell(new DiscoveryNews.GivenUp(number, "the disks cannot be listed: " + e));
          }
        });
    OneAnswer.ask(
        getContext(),
        DiscoveryRequest.Served.class,
        owner,
        settings.answerDeadline(),
        DiscoveryRequest.WhatIsServed::new,
        (served, late) ->
            served == null
                ? new DiscoveryNews.GivenUp(number, "nobody said in time what is served")
                : new DiscoveryNews.ServedNow(number, served));
    timers.startSingleTimer(
        "prepare", new DiscoveryNews.ListOverdue(number), settings.answerDeadline());
  }

  private @Nullable ScanRun current(long number) {
    ScanRun run = scan;
    return run != null && run.number == number ? run : null;
  }

  private void listed(DiscoveryNews.Listed news) {
    ScanRun run = current(news.scan());
    if (run != null) {
      run.listed(news.devices(), news.memory());
      if (saidByPerson.isEmpty()) {
        saidByPerson = news.memory().automatic();
      }
      prepared(run);
    }
  }

  private void servedNow(DiscoveryNews.ServedNow news) {
    noteServed(news.served());
    ScanRun run = current(news.scan());
    if (run != null) {
      run.served(news.served());
      prepared(run);
    }
  }

  private void prepared(ScanRun run) {
    if (run.isPrepared() && !run.probing) {
      timers.cancel("prepare");
      run.choose();
      goOn(run);
    }
  }

  private void goOn(ScanRun run) {
    if (!run.probing || run.judging || run.answering) {
      return;
    }
    while (run.probes.size() < settings.probesAtOnce() && !run.toProbe.isEmpty()) {
      BlockDevice device = run.toProbe.remove();
      if (isStillOpening(device)) {
        run.leftAlone.add(device.address() + ": it still does not answer to an earlier scan");
      } else {
        begin(run, device);
      }
    }
    if (run.probes.isEmpty()) {
      judge(run);
    }
  }

  /** A dead disk takes one thread where blocking is allowed, not one more with every scan. */
  private boolean isStillOpening(BlockDevice device) {
    return probes.values().stream()
        .anyMatch(probe -> probe.isOpening() && probe.device().address().equals(device.address()));
  }

  private void begin(ScanRun run, BlockDevice device) {
    long number = ++numbers;
    ActorRef<DiscoveryCommand> self = getContext().getSelf();
    DiskClaim claim =
        new DiskClaim(close ->
            parts
                .blocking()
                .execute(() -> {
                  close.run();
                  self.tell(new DiscoveryNews.Closed(number));
                }));
    DiskProbe probe =
        new DiskProbe(
            number,
            device,
            claim,
            parts.engine(),
            completions,
            parts.engine().nanoTime() + settings.probeDeadline().toNanos());
    run.probes.put(number, probe);
    probes.put(number, probe);
    timers.startSingleTimer(
        number, new DiscoveryNews.ProbeOverdue(number), settings.probeDeadline());
    DiskOpener opener = parts.opener();
    parts
        .blocking()
        .execute(() -> {
          try {
            Disk disk = opener.open(device.address(), DiskOpener.Mode.READ);
            if (claim.deliver(disk)) {
              self.tell(new DiscoveryNews.Opened(number));
            } else {
              self.tell(new DiscoveryNews.Closed(number));
            }
          } catch (DiskException | RuntimeException e) {
            self.tell(new DiscoveryNews.NotOpened(number, String.valueOf(e.getMessage())));
          }
        });
  }

  private interface ProbeStep {
    void take(DiskProbe probe);
  }

  private void probe(long number, ProbeStep step) {
    DiskProbe probe = probes.get(number);
    if (probe == null) {
      return;
    }
    step.take(probe);
    if (probe.waitsForBuffer()) {
      timers.startSingleTimer("buffers", new DiscoveryNews.TryBuffers(), BUFFER_RETRY);
    }
    collect(probe);
  }

  private void overdue(DiskProbe probe) {
    probe.overdue(
        probe.device().address()
            + " did not answer within "
            + settings.probeDeadline().toSeconds()
            + " s");
  }

  private void ioEnded() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      if (request.attachment() instanceof DiskProbe probe) {
        probe.ended(completions.lastOutcome());
        collect(probe);
      }
    }
  }

  private void tryBuffers() {
    ScanRun run = scan;
    if (run == null) {
      return;
    }
    for (DiskProbe probe : List.copyOf(run.probes.values())) {
      if (probe.waitsForBuffer()) {
        probe(probe.number(), DiskProbe::tryBuffer);
      }
    }
  }

  /** Takes what a probe ended with, once, and goes on. */
  private void collect(DiskProbe probe) {
    ScanRun run = scan;
    if (probe.end().isEmpty() || run == null || run.probes.remove(probe.number()) == null) {
      return;
    }
    timers.cancel(probe.number());
    switch (probe.end().get()) {
      case DiskProbe.End.Found end -> {
        run.found.add(end.finding());
        end.finding()
            .notes()
            .forEach(note -> run.leftAlone.add(end.finding().address() + ": " + note));
      }
      case DiskProbe.End.Nothing end -> run.leftAlone.add(end.sentence());
    }
    goOn(run);
  }

  /** Off the ring's thread: with many set-ups it takes longer than a request may wait. */
  private void judge(ScanRun run) {
    run.judging = true;
    Set<UUID> active = new HashSet<>(run.served().deviceIds());
    active.addAll(asked);
    HostMemory.Contents memory = run.memory();
    HostKnowledge knowledge =
        new HostKnowledge(
            parts.hostId(),
            memory.cleanStops(),
            memory.remembered(),
            active,
            settings.threshold(),
            run.served().assembling());
    List<DiskFinding> found = List.copyOf(run.found);
    long number = run.number;
    ActorRef<DiscoveryCommand> self = getContext().getSelf();
    parts
        .blocking()
        .execute(() -> {
          try {
            List<Judgement> judgements = SetUpJudge.judge(found, knowledge);
            self.tell(new DiscoveryNews.Judged(number, judgements));
          } catch (RuntimeException e) {
            self.tell(new DiscoveryNews.GivenUp(number, "what was found cannot be judged: " + e));
          }
        });
  }

  private void judged(DiscoveryNews.Judged news) {
    ScanRun run = current(news.scan());
    if (run == null) {
      return;
    }
    run.judging = false;
    run.answering = true;
    run.judgements = news.judgements();
    rememberAdopted(news.judgements());
    boolean carriesOut = run.activate && isAutomatic();
    for (Judgement judgement : news.judgements()) {
      audit(run, judgement, carriesOut);
      alert(judgement);
      if (carriesOut && judgement.decision() == Decision.ACTIVATE) {
        activate(run, judgement.setUp().orElseThrow());
      }
    }
    if (run.activationsAwaited == 0) {
      finish(run, true);
    }
  }

  private void rememberAdopted(List<Judgement> judgements) {
    Set<AdoptedDisk> disks = new HashSet<>();
    for (Judgement judgement : judgements) {
      judgement.setUp().flatMap(SetUp::adopted).ifPresent(disks::add);
    }
    if (!disks.isEmpty()) {
      HostMemory memory = parts.memory();
      parts.blocking().execute(() -> memory.rememberAdopted(disks));
    }
  }

  private void activate(ScanRun run, SetUp setUp) {
    asked.add(setUp.deviceId());
    run.activationsAwaited++;
    long number = run.number;
    // An older state than this one is behind us from now on, whatever becomes of the start.
    ran(setUp.deviceId(), setUp.position());
    OneAnswer.ask(
        getContext(),
        DiscoveryRequest.Activation.class,
        owner,
        settings.answerDeadline(),
        replyTo -> new DiscoveryRequest.Activate(setUp, replyTo),
        (activation, late) ->
            new DiscoveryNews.Answered(
                number,
                setUp,
                activation == null
                    ? new DiscoveryRequest.Activation(false, "nobody answered in time")
                    : activation));
  }

  private void answered(DiscoveryNews.Answered news) {
    asked.remove(news.setUp().deviceId());
    String sentence = news.answer().sentence();
    parts
        .monitor()
        .tell(
            new MonitorCommand.Audit(
                "discovery",
                news.setUp().name(),
                news.answer().accepted() ? "activated" : "activation refused",
                sentence));
    ScanRun run = current(news.scan());
    if (run == null) {
      return;
    }
    if (news.answer().accepted()) {
      run.activated.add(news.setUp().name());
    } else {
      run.refused.add(news.setUp().name() + ": " + sentence);
    }
    if (--run.activationsAwaited == 0) {
      finish(run, true);
    }
  }

  private void giveUp(long number, String sentence) {
    ScanRun run = current(number);
    if (run != null) {
      run.leftAlone.add(sentence);
      finish(run, false);
    }
  }

  private void finish(ScanRun run, boolean complete) {
    timers.cancel("prepare");
    scan = null;
    last = run.report(isAutomatic(), complete);
    run.askers.forEach(asker -> asker.tell(last));
    boolean waits =
        !complete
            || last.judgements().stream()
                .anyMatch(judgement -> judgement.decision() == Decision.WAIT);
    if (waits && retriesUsed < settings.retries().size() && !timers.isTimerActive("due")) {
      timers.startSingleTimer(
          "due",
          new DiscoveryNews.Due("disks that may still appear"),
          settings.retries().get(retriesUsed));
      retriesUsed++;
    }
    beginNext();
  }

  // What is told and remembered.

  private void audit(ScanRun run, Judgement judgement, boolean carriesOut) {
    String line =
        judgement.line()
            + (judgement.decision() == Decision.ACTIVATE && !carriesOut
                ? run.activate ? "; automatic activation is switched off" : "; a dry run"
                : "");
    // Scans are repeated; a decision that has not changed is not written again.
    if (!line.equals(lastAudited.put(judgement.deviceId(), line))) {
      parts
          .monitor()
          .tell(
              new MonitorCommand.Audit(
                  "discovery, " + run.why,
                  judgement.name(),
                  judgement.decision().toString(),
                  line));
    }
  }

  private void alert(Judgement judgement) {
    if (judgement.decision() == Decision.FORBIDDEN) {
      forbidden.add(judgement.deviceId());
      parts
          .monitor()
          .tell(
              new MonitorCommand.Raise(
                  Event.Severity.ERROR,
                  judgement.name(),
                  "discovery.forbidden",
                  judgement.name()
                      + " was found and is not started: "
                      + String.join("; ", judgement.contradictions())));
    } else if (forbidden.remove(judgement.deviceId())) {
      parts.monitor().tell(new MonitorCommand.Clear(judgement.name(), "discovery.forbidden"));
    }
  }

  private void setAutomatic(DiscoveryCommand.SetAutomatic command) {
    saidByPerson = Optional.of(command.on());
    HostMemory memory = parts.memory();
    parts.blocking().execute(() -> memory.rememberAutomatic(command.on()));
    boolean now = isAutomatic();
    String sentence =
        now
            ? "set-ups that are certain are activated by themselves"
            : command.on()
                ? "the kernel's command line has spared.activate=0, so it stays off"
                : "set-ups are found and shown, and wait for a command";
    parts
        .monitor()
        .tell(
            new MonitorCommand.Audit(
                command.who(), "", "automatic activation " + (now ? "on" : "off"), sentence));
    command.replyTo().tell(new AutomaticSet(now, sentence));
    if (now) {
      want("automatic activation was switched on", true);
    }
  }

  private void ran(UUID deviceId, Position position) {
    HostMemory memory = parts.memory();
    parts.blocking().execute(() -> memory.remember(new Remembered(deviceId, position)));
  }

  // The end.

  private void stop(DiscoveryCommand.Stop command) {
    if (stopping != null) {
      command.replyTo().tell(new Stopped(List.of()));
      return;
    }
    stopping = command.replyTo();
    timers.cancelAll();
    ScanRun run = scan;
    if (run != null) {
      run.toProbe.clear();
      List<DiskProbe> running = List.copyOf(run.probes.values());
      run.probes.clear();
      running.forEach(probe -> probe.overdue("the daemon is stopping"));
      run.leftAlone.add("the daemon is stopping");
      scan = null;
      last = run.report(isAutomatic(), false);
      run.askers.forEach(asker -> asker.tell(last));
    }
    nextAskers.forEach(asker -> asker.tell(last));
    nextAskers.clear();
    timers.startSingleTimer("stop", new DiscoveryNews.Due("the end"), settings.settle());
  }

  /** Waits a moment for disks to close; those that hang are named and close when they can. */
  private Behavior<DiscoveryCommand> stoppedIfDone() {
    ActorRef<Stopped> asker = stopping;
    if (asker == null || (!probes.isEmpty() && timers.isTimerActive("stop"))) {
      return this;
    }
    asker.tell(
        new Stopped(
            probes.values().stream().map(probe -> probe.device().address().toString()).toList()));
    return Behaviors.stopped();
  }
}

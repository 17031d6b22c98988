package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.CleanMark;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.ExtentKind;
import io.spared.format.Geometry;
import io.spared.format.MainHeads;
import io.spared.format.Owner;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareNotes;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import io.spared.metadata.MetadataWriter;
import io.spared.remap.RemapTable;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Puts a device together, step by step, as messages: disks are opened where blocking is allowed,
 * copies are read, the right device is chosen among those on its spares, and its history is
 * committed again under a new epoch. Nothing is served before that.
 *
 * <p>A device that another host began and has not stopped cleanly may be served there still, and
 * the epoch does not stop that host before it looks at its copies: only a person can know that it
 * is dead, so it is refused before anything is written. What was created and never started is
 * served nowhere, whoever created it.
 *
 * <p>It never makes metadata and never guesses: what contradicts ends in {@link Fact.Unusable},
 * what may mend itself (a disk that is missing or busy) in {@link Fact.Blocked}, after which the
 * device tries again.
 */
final class Assembly {
  private final Run run;
  private final Map<DiskAddress, SpareReply.Attached> attached = new HashMap<>();
  private final List<String> sparesMissing = new ArrayList<>();
  private final ArrayDeque<UUID> candidates = new ArrayDeque<>();
  private final List<String> turnedDown = new ArrayList<>();
  private final List<Candidate> matching = new ArrayList<>();
  private final ActorRef<MetadataReply> metadataInbox;
  private final ActorRef<MetadataEvent> eventInbox;
  private Map<UUID, CleanStop> cleanStops = Map.of();
  private Map<UUID, Position> runs = Map.of();
  private int answersAwaited;
  private boolean mayComeLater;
  private @Nullable ActorRef<MetadataCommand> loading;
  private @Nullable Candidate chosen;
  private @Nullable Assembled result;
  private Optional<DiskAddress> mainElsewhere = Optional.empty();
  private final Optional<DeviceCommand.Start> wish;
  private final List<String> gone = new ArrayList<>();
  private final Map<UUID, String> consented = new HashMap<>();
  private List<MetadataCommand.CopySource> loadingFrom = List.of();
  private @Nullable UUID loadingDevice;
  private @Nullable GivingUp givingUp;
  private boolean over;
  private final boolean mainAccepted;
  private final boolean takingOver;
  private boolean mainRefused;
  private final boolean olderAccepted;
  private boolean olderRefused;
  private @Nullable MainHeads heads;
  private @Nullable DiskReading headsReading;
  private boolean headsRead;

  /** A device found on the spares that this main may belong to. */
  private record Candidate(
      UUID deviceId,
      DeviceImage image,
      ActorRef<MetadataCommand> writer,
      RemapTable table,
      CopyVerdict verdict) {}

  /**
   * @param mainAccepted serve main although somebody used it without spared
   * @param olderAccepted serve it although this host has run it at a newer state
   * @param takingOver serve it although another host owns it and has not stopped it
   * @param wish the command that gives spares up, if one does
   */
  Assembly(
      Run run,
      boolean mainAccepted,
      boolean olderAccepted,
      boolean takingOver,
      Optional<DeviceCommand.Start> wish) {
    this.olderAccepted = olderAccepted;
    this.run = run;
    this.wish = wish;
    this.mainAccepted = mainAccepted;
    this.takingOver = takingOver;
    this.metadataInbox =
        run.inbox(
            MetadataReply.class,
            "metadata",
            reply -> new DeviceNews.FromMetadata(run.number, reply));
    this.eventInbox =
        run.inbox(
            MetadataEvent.class,
            "metadata-events",
            event -> new DeviceNews.MetadataTold(run.number, event));
  }

  ActorRef<MetadataReply> metadataInbox() {
    return metadataInbox;
  }

  /** Opens main, and then every spare, all at once. */
  void begin() {
    openMain(run.settings.main());
    run.later(
        "assembly",
        run.settings.deadlines().open().toNanos(),
        new DeviceNews.AssemblyOverdue(run.number));
  }

  /** Only whoever has main asks for the spares: then what they answer stays true. */
  private void attachSpares() {
    DeviceSettings settings = run.settings;
    answersAwaited = settings.spares().size();
    ActorRef<SpareReply> inbox =
        run.inbox(
            SpareReply.class, "spares", reply -> new DeviceNews.FromSpares(run.number, reply));
    wish.ifPresent(start ->
        start
            .giveUp()
            .ifPresent(spares -> givingUp = new GivingUp(run, spares, start.replyTo(), inbox)));
    for (DiskAddress spare : settings.spares()) {
      run.parts.spares().tell(new SpareCommand.Attach(spare, settings.name(), inbox));
    }
  }

  private void openMain(DiskAddress address) {
    long number = run.number;
    ActorRef<DeviceCommand> self = run.self();
    DiskClaim claim = run.main();
    DiskOpener opener = run.parts.opener();
    CleanStops stops = run.parts.cleanStops();
    CompletableFuture.runAsync(
            () -> {
              try {
                Disk disk = opener.open(address, DiskOpener.Mode.OWN);
                if (claim.deliver(disk)) {
                  self.tell(new DeviceNews.MainOpened(number, stops.all(), stops.runs()));
                }
              } catch (DiskException failure) {
                self.tell(new DeviceNews.MainNotOpened(number, failure));
              }
            },
            run.parts.blocking())
        .exceptionally(defect -> {
          self.tell(new DeviceNews.PartCrashed(number, "disk opening", String.valueOf(defect)));
          return null;
        });
  }

  /** What assembling came to, once it has: then {@link #result} is there after Assembled. */
  Optional<Fact> on(DeviceNews news) {
    if (over) {
      return Optional.empty();
    }
    Optional<Fact> fact =
        switch (news) {
          case DeviceNews.MainOpened opened -> {
            cleanStops = opened.cleanStops();
            runs = opened.runs();
            attachSpares();
            yield Optional.empty();
          }
          case DeviceNews.MainNotOpened failed -> mainNotOpened(failed.failure());
          case DeviceNews.FromSpares spares -> fromSpares(spares.reply());
          case DeviceNews.FromMetadata metadata -> fromMetadata(metadata.reply());
          case DeviceNews.AssemblyOverdue late -> overdue();
          case DeviceNews.DisksAnswered answered -> headsAnswered();
          case DeviceNews.MetadataTold told -> metadataTold(told.event());
          default -> Optional.empty();
        };
    over = fact.isPresent();
    return fact;
  }

  private Optional<Fact> mainNotOpened(DiskException failure) {
    return Optional.of(
        switch (failure.reason()) {
          case MISSING, BUSY, LINGERING, IO, MOUNTED -> new Fact.Blocked(sentence(failure));
          case READ_ONLY, NO_PERMISSION, TOO_SMALL, NOT_A_DISK, UNSUPPORTED ->
              new Fact.Unusable(sentence(failure));
        });
  }

  private static String sentence(DiskException failure) {
    String message = failure.getMessage();
    return message == null ? failure.reason().toString() : message;
  }

  private Optional<Fact> fromSpares(SpareReply reply) {
    return switch (reply) {
      case SpareReply.Attached spare -> {
        attached.put(spare.address(), spare);
        run.uses(spare);
        yield answered();
      }
      case SpareReply.NotAttached not -> {
        sparesMissing.add(not.sentence());
        mayComeLater |= not.later();
        yield answered();
      }
      case SpareReply.Lent lent -> onGivingUp(lent);
      case SpareReply.NotLent not -> onGivingUp(not);
      default -> Optional.empty();
    };
  }

  private Optional<Fact> answered() {
    if (--answersAwaited > 0) {
      return Optional.empty();
    }
    run.notLater("assembly");
    if (attached.isEmpty()) {
      return Optional.of(withoutSpares("no spare can be opened"));
    }
    TreeSet<UUID> devices = new TreeSet<>();
    for (SpareReply.Attached spare : attached.values()) {
      for (SpareReply.Lending lending : spare.lent()) {
        if (lending.kind() == ExtentKind.METADATA) {
          devices.add(lending.deviceId());
        }
      }
    }
    candidates.addAll(devices);
    if (candidates.isEmpty()) {
      return Optional.of(
          withoutSpares(
              attached.keySet().stream().map(Object::toString).collect(Collectors.joining(", "))
                  + ": holds no device; make one with spared ctl create, or name the right spare"));
    }
    return loadNext();
  }

  private Fact withoutSpares(String sentence) {
    String all =
        sparesMissing.isEmpty() ? sentence : sentence + ": " + String.join("; ", sparesMissing);
    return mayComeLater ? new Fact.Blocked(all) : new Fact.Unusable(all);
  }

  private Optional<Fact> loadNext() {
    UUID deviceId = candidates.poll();
    if (deviceId == null) {
      return choose();
    }
    List<MetadataCommand.CopySource> sources = new ArrayList<>();
    for (SpareReply.Attached spare : attached.values()) {
      List<Long> offsets =
          spare.lent().stream()
              .filter(l -> l.deviceId().equals(deviceId) && l.kind() == ExtentKind.METADATA)
              .map(SpareReply.Lending::offsetBytes)
              .toList();
      DiskPort port = run.attachWriter(spare);
      sources.add(
          new MetadataCommand.CopySource(
              spare.spareId(), port, spare.disk().geometry().sizeBytes(), offsets));
    }
    ActorRef<MetadataCommand> writer =
        run.spawn(
            MetadataWriter.create(
                run.parts.metadata(), run.parts.home().engine(), run.parts.world(), eventInbox),
            "metadata-" + deviceId.toString().substring(0, 8));
    loading = writer;
    loadingFrom = sources;
    loadingDevice = deviceId;
    load(writer, deviceId, Optional.empty());
    return Optional.empty();
  }

  private void load(
      ActorRef<MetadataCommand> writer, UUID deviceId, Optional<CopyConsent> consent) {
    writer.tell(
        new MetadataCommand.Load(
            deviceId,
            loadingFrom,
            Assembly::newTable,
            Optional.ofNullable(cleanStops.get(deviceId)),
            consent,
            metadataInbox));
  }

  /** Read again as a person allows it, to say what would be lost; once. */
  private boolean isReadAgain(CopyVerdict verdict) {
    GivingUp wanted = givingUp;
    UUID deviceId = loadingDevice;
    ActorRef<MetadataCommand> writer = loading;
    if (wanted == null
        || deviceId == null
        || writer == null
        || verdict.decision() != CopyVerdict.Decision.NEEDS_PERSON
        || verdict.position().isEmpty()
        || consented.containsKey(deviceId)) {
      return false;
    }
    consented.put(deviceId, String.join("; ", verdict.reasons()));
    load(writer, deviceId, Optional.of(wanted.consentTo(verdict.position().get())));
    return true;
  }

  private Optional<Fact> fromMetadata(MetadataReply reply) {
    return switch (reply) {
      case MetadataReply.Loaded loaded -> loaded(loaded);
      case MetadataReply.NotLoaded not -> {
        if (isReadAgain(not.verdict())) {
          yield Optional.empty();
        }
        turnedDown.add(String.join("; ", not.verdict().reasons()));
        stop(loading);
        yield loadNext();
      }
      case MetadataReply.Begun begun -> begun();
      case MetadataReply.Refused refused ->
          Optional.of(
              refused.reason() == MetadataReply.Reason.FENCED
                  ? new Fact.Unusable(refused.sentence())
                  : new Fact.Blocked(
                      "its metadata cannot begin a new epoch: " + refused.sentence()));
      default -> Optional.empty();
    };
  }

  private Optional<Fact> loaded(MetadataReply.Loaded loaded) {
    Disk main = run.main().disk();
    ActorRef<MetadataCommand> writer = loading;
    if (main == null || writer == null || !(loaded.image().entries() instanceof RemapTable table)) {
      return Optional.of(new Fact.Blocked("main was closed while metadata was read"));
    }
    Optional<DiskAddress> moved = replacedBy(loaded.image(), main);
    Optional<String> contradiction = MainEvidence.contradiction(loaded.image(), main);
    if (moved.isPresent()) {
      mainElsewhere = moved;
      turnedDown.add(run.settings.main() + " was main until " + moved.get() + " took its place");
      mayComeLater = true;
      stop(writer);
    } else if (contradiction.isPresent()) {
      turnedDown.add(contradiction.get());
      stop(writer);
    } else if (isAnothers(loaded.image())) {
      turnedDown.add(consented.getOrDefault(loaded.image().deviceId(), ""));
      stop(writer);
    } else {
      matching.add(
          new Candidate(
              loaded.image().deviceId(), loaded.image(), writer, table, loaded.verdict()));
    }
    return loadNext();
  }

  /** Consent is to one device's loss: others on the same spares wait as ever. */
  private boolean isAnothers(DeviceImage image) {
    return consented.containsKey(image.deviceId()) && !image.name().equals(run.settings.name());
  }

  /**
   * Where main is, when it was replaced since the configuration was written: the old disk may be
   * indistinguishable by its evidence, and is stale.
   */
  private Optional<DiskAddress> replacedBy(DeviceImage image, Disk main) {
    String before = image.policy().getOrDefault(ReplaceCommits.MAIN_BEFORE, "");
    String now = image.policy().getOrDefault(ReplaceCommits.MAIN, "");
    boolean isThis =
        image.name().equals(run.settings.name())
            && before.equals(run.settings.main().toString())
            && !MainEvidence.isProved(image.main().evidence(), main);
    try {
      return isThis ? Optional.of(DiskAddress.parse(now)) : Optional.empty();
    } catch (IllegalArgumentException unreadable) {
      return Optional.empty();
    }
  }

  /** The disk to try instead of the configured main. */
  Optional<DiskAddress> mainElsewhere() {
    return mainElsewhere;
  }

  private Optional<Fact> choose() {
    List<Candidate> named =
        matching.stream().filter(c -> c.image().name().equals(run.settings.name())).toList();
    List<Candidate> pool = named.isEmpty() ? matching : named;
    if (pool.isEmpty()) {
      return Optional.of(withoutSpares(String.join("; ", turnedDown)));
    }
    if (pool.size() > 1) {
      return Optional.of(
          new Fact.Unusable(
              "several devices on its spares could be it ("
                  + pool.stream()
                      .map(c -> c.image().name() + " " + c.deviceId())
                      .collect(Collectors.joining(", "))
                  + "); name the device in the configuration as it was created"));
    }
    Candidate candidate = pool.get(0);
    for (Candidate other : matching) {
      if (!other.deviceId().equals(candidate.deviceId())) {
        stop(other.writer());
      }
    }
    Optional<Owner> owner = ownerElsewhere(candidate.image());
    if (owner.isPresent() && !takingOver) {
      return Optional.of(new Fact.Unusable(ownedBy(owner.get(), candidate.image().epoch())));
    }
    Optional<String> leftBehind = leftBehind(candidate);
    if (leftBehind.isPresent() && !olderAccepted) {
      olderRefused = true;
      return Optional.of(new Fact.Unusable(leftBehind.get()));
    }
    Optional<String> notLent = notLent(candidate.image());
    if (notLent.isPresent()) {
      return Optional.of(new Fact.Unusable(notLent.get()));
    }
    List<DiskAddress> busy = busyFor(candidate.deviceId());
    if (!busy.isEmpty()) {
      return Optional.of(
          new Fact.Blocked(
              "requests of an earlier start of it are still with "
                  + busy.stream().map(Object::toString).collect(Collectors.joining(", "))
                  + " and might change what is written there; it waits until the disk has ended"
                  + " them"));
    }
    attached.values().forEach(spare -> run.writesTo(spare, candidate.deviceId()));
    chosen = candidate;
    Disk main = run.main().disk();
    long expected = candidate.image().cleanMark().map(CleanMark::headsHash).orElse(0L);
    if (main == null || expected == 0 || mainAccepted) {
      return beginEpoch(candidate);
    }
    MainHeads begun =
        new MainHeads(candidate.image().main().dataOffsetBytes(), candidate.image().geometry());
    heads = begun;
    DiskReading reading =
        new DiskReading(
            begun,
            run.attach(main),
            run.parts.home().engine(),
            run.parts.home().engine().nanoTime() + run.settings.deadlines().request().toNanos(),
            () -> run.tell(new DeviceNews.DisksAnswered(run.number)),
            () -> headsRead = true);
    headsReading = reading;
    reading.begin();
    return headsAnswered();
  }

  /** How it is seen that the spares are as they were before this host last ran it. */
  private Optional<String> leftBehind(Candidate candidate) {
    Position found = candidate.image().position();
    return Optional.ofNullable(runs.get(candidate.deviceId()))
        .filter(run -> found.compareTo(run) < 0)
        .map(run ->
            "this host has run it at "
                + run
                + ", but its spares are older, at "
                + found
                + ": they were left behind, or put back as they were; attach the right ones. Start"
                + " it again if that is right: what was written to moved blocks since is lost then");
  }

  /** A spare that is there as it was before all of what the device has on it was lent. */
  private Optional<String> notLent(DeviceImage image) {
    for (Map.Entry<Integer, SpareReply.Attached> each : here(image).entrySet()) {
      int index = each.getKey();
      SpareMember member = image.spares().get(index);
      if (member != null
          && member.state().isNeeded()
          && !LostRanges.areAllLent(
              image.deviceId(), each.getValue().lent(), image.extents(index))) {
        return Optional.of(
            "spare "
                + index
                + " ("
                + each.getValue().address()
                + ") does not know of all that it has lent to this device: it is as it was earlier,"
                + " and what moved there may be older too; attach the right disk, or take this one"
                + " away and start it --without-spare "
                + index);
      }
    }
    return Optional.empty();
  }

  /** The spares that have not ended all that an earlier life of the device asked of them. */
  private List<DiskAddress> busyFor(UUID deviceId) {
    return attached.values().stream()
        .filter(spare -> spare.busyFor().contains(deviceId))
        .map(SpareReply.Attached::address)
        .toList();
  }

  /** The other host that may serve it still. */
  private Optional<Owner> ownerElsewhere(DeviceImage image) {
    return image
        .owner()
        .filter(owner -> !owner.hostId().equals(run.parts.owner().hostId()))
        .filter(owner -> image.epoch().isStart() && image.cleanMark().isEmpty());
  }

  private String ownedBy(Owner owner, Epoch since) {
    return "host "
        + owner.hostName()
        + " ("
        + owner.hostId()
        + ") owns it since epoch "
        + since
        + " and has not stopped it cleanly; stop it there and start it again here, or, when that"
        + " host is certainly dead, take it over with spared ctl start "
        + run.settings.name()
        + " --take-over";
  }

  private Optional<Fact> headsAnswered() {
    DiskReading reading = headsReading;
    MainHeads read = heads;
    Candidate candidate = chosen;
    if (reading == null || read == null || candidate == null) {
      return Optional.empty();
    }
    reading.answered();
    if (!headsRead) {
      return Optional.empty();
    }
    headsReading = null;
    long expected = candidate.image().cleanMark().map(CleanMark::headsHash).orElse(0L);
    // Heads that cannot be read say nothing.
    mainRefused = read.hash() != 0 && read.hash() != expected;
    if (mainRefused) {
      return Optional.of(
          new Fact.Unusable(
              run.settings.main()
                  + " was written without spared since this device was stopped: its partition table"
                  + " or a file system is not as it was left, and blocks that are on spares may be"
                  + " older than what is on main now; start it again if that is right"));
    }
    return beginEpoch(candidate);
  }

  private Optional<Fact> beginEpoch(Candidate candidate) {
    GivingUp wanted = givingUp;
    return took(
        candidate,
        wanted == null
            ? GivingUp.Step.AS_EVER
            : wanted.begin(
                candidate.image(),
                candidate.verdict(),
                candidate.table(),
                here(candidate.image())));
  }

  private Optional<Fact> onGivingUp(SpareReply reply) {
    Candidate candidate = chosen;
    GivingUp wanted = givingUp;
    return candidate == null || wanted == null
        ? Optional.empty()
        : took(candidate, wanted.on(reply));
  }

  private Optional<Fact> took(Candidate candidate, GivingUp.Step step) {
    GivingUp wanted = givingUp;
    Epoch epoch = nextEpoch(candidate);
    switch (step) {
      case GOES_ON -> {}
      case AS_EVER ->
          candidate
              .writer()
              .tell(new MetadataCommand.Begin(epoch, run.parts.owner(), metadataInbox));
      case BEGIN -> {
        if (wanted != null) {
          candidate
              .writer()
              .tell(
                  new MetadataCommand.BeginPlaced(
                      epoch,
                      run.parts.owner(),
                      wanted.placement(),
                      wanted.changes(),
                      Map.of(),
                      metadataInbox));
        }
      }
      case REFUSED -> {
        turnedDown.add(consented.getOrDefault(candidate.deviceId(), "it is not given up"));
        stop(candidate.writer());
        return Optional.of(withoutSpares(String.join("; ", turnedDown)));
      }
    }
    return Optional.empty();
  }

  /** Above all that this host has run it at, too: what a person left behind stays behind. */
  private Epoch nextEpoch(Candidate candidate) {
    Epoch next = candidate.verdict().nextEpoch(run.parts.world().random().nextLong());
    Position last = runs.get(candidate.deviceId());
    return last != null && Long.compareUnsigned(last.epoch().counter(), next.counter()) >= 0
        ? new Epoch(last.epoch().counter() + 1, next.startId())
        : next;
  }

  /** Its spares that are there. */
  private Map<Integer, SpareReply.Attached> here(DeviceImage image) {
    Map<Integer, SpareReply.Attached> here = new HashMap<>();
    for (SpareMember member : image.spares().values()) {
      attached.values().stream()
          .filter(spare -> spare.spareId().equals(member.spareId()))
          .findFirst()
          .ifPresent(spare -> here.put(member.index(), spare));
    }
    return here;
  }

  /** What became of the wish to give spares up, once the assembling is over. */
  Optional<GivingUp> givingUp() {
    return Optional.ofNullable(givingUp);
  }

  /** Spares that came back though they were given up. */
  List<String> gone() {
    return gone;
  }

  /** Whether it failed because somebody used main without spared. */
  boolean isMainRefused() {
    return mainRefused;
  }

  /** Whether it failed because this host has run it at a newer state. */
  boolean isOlderRefused() {
    return olderRefused;
  }

  private Optional<Fact> metadataTold(MetadataEvent event) {
    return event instanceof MetadataEvent.Fenced fenced && chosen != null
        ? Optional.of(new Fact.Unusable(fenced.sentence()))
        : Optional.empty();
  }

  private Optional<Fact> begun() {
    Candidate candidate = chosen;
    Disk main = run.main().disk();
    if (candidate == null || main == null) {
      return Optional.of(new Fact.Blocked("main was closed while the epoch was begun"));
    }
    Map<Integer, SpareReply.Attached> spares = here(candidate.image());
    Map<Integer, UUID> missing = new HashMap<>();
    for (SpareMember member : candidate.image().spares().values()) {
      SpareReply.Attached here = spares.get(member.index());
      if (here != null && SpareNotes.isGone(candidate.image(), member.index())) {
        spares.remove(member.index());
        run.usesNoMore(here);
        gone.add(
            here.address()
                + " is spare "
                + member.index()
                + ", which was given up while it was away: it is not used; wipe it before other"
                + " use");
      } else if (here == null && member.state().isNeeded()) {
        missing.put(member.index(), member.spareId());
      }
    }
    candidate.table().publish();
    CleanStops stops = run.parts.cleanStops();
    Position begunAt = candidate.image().position();
    run.parts.blocking().execute(() -> stops.began(candidate.deviceId(), begunAt));
    result =
        new Assembled(
            candidate.image(),
            candidate.table(),
            candidate.writer(),
            main,
            spares,
            missing,
            candidate.verdict().isHealthy()
                ? Optional.empty()
                : Optional.of(String.join("; ", candidate.verdict().reasons())));
    return Optional.of(new Fact.Assembled(Map.of()));
  }

  private Optional<Fact> overdue() {
    if (run.main().disk() == null) {
      return Optional.of(
          new Fact.Blocked(
              run.settings.main()
                  + ": opening it takes longer than "
                  + seconds(run.settings.deadlines().open())
                  + "; the disk may hang"));
    }
    return Optional.of(
        new Fact.Blocked(
            "opening its spares takes longer than " + seconds(run.settings.deadlines().open())));
  }

  /** Entries come by the million, and nobody reads yet. */
  private static RemapEntries newTable(Geometry geometry) {
    RemapTable table = new RemapTable(geometry);
    table.beginLoading();
    return table;
  }

  private static String seconds(Duration duration) {
    return duration.toMillis() / 1000.0 + " s";
  }

  /** Spares that were named and are none of this device's. */
  List<SpareReply.Attached> strangers() {
    Candidate candidate = chosen;
    return candidate == null
        ? List.of()
        : attached.values().stream()
            .filter(spare ->
                candidate.image().spares().values().stream()
                    .noneMatch(member -> member.spareId().equals(spare.spareId())))
            .toList();
  }

  /** Nothing of it is wanted any more: writers that were begun end by themselves. */
  void abandon() {
    over = true;
    stop(loading);
    matching.forEach(candidate -> stop(candidate.writer()));
  }

  private void stop(@Nullable ActorRef<MetadataCommand> writer) {
    if (writer != null) {
      writer.tell(new MetadataCommand.Stop(Duration.ofSeconds(1), metadataInbox));
      run.leave(writer);
    }
  }

  @Nullable Assembled result() {
    return result;
  }
}

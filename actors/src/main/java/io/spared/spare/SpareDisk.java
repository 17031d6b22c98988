package io.spared.spare;

import io.spared.device.DiskClaim;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Signature;
import io.spared.format.SpareTable;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One spare disk: opens it, reads its table, lends and takes back.
 *
 * <p>The table in memory is always one that is durable on two of three places, and at most one
 * change is on its way. Only after its change is durable is a question answered, so an extent that
 * a device was told of is lent whatever happens next. A change that nobody can vouch for (one place
 * of three written) is not answered as lent, and its version is never used again; the range may
 * come back as lent at the next start, where its device finds that it does not know it, and returns
 * it.
 *
 * <p>While it is open, the tables on the disk are read again every hour and when a device looks for
 * damage: what is damaged or old is written anew from the one in memory, all three of them too,
 * since nobody else may write there. Only where another's table or a newer one stands nothing is
 * written any more.
 *
 * <p>Invariant: a spare that somebody uses, or that has requests of a former user, is open, and any
 * other is closed soon. A user is whoever asked for it, from the answer until it detaches or ends,
 * however it ends: it is watched. So an answer that nobody hears any more keeps nothing open.
 *
 * <p>Invariant (9 and 11): no write of an earlier life of a device lands beside those of a later
 * one. A device that ends may leave requests behind which its disk has not answered, and here its
 * end closes nothing while others use the disk, or for the short time in which an unused one is
 * kept open. So every user has a share of its own, which knows when its last request has come back,
 * and says for which device it writes before it does ({@link SpareCommand.Uses}). An answer to
 * {@link SpareCommand.Attach} names the devices of all other shares that are not empty. A device
 * that finds itself there has read too early, gives everything back, and asks again later; one that
 * does not may rely on what it reads: it has main, which only one life of a device has at a time,
 * from before it asked until after it ends, so no other share for it can come meanwhile.
 *
 * <p>A crash of it loses nothing but the questions on their way: what was answered is durable. Its
 * disk is closed, so every device that uses it watches this actor, and is assembled again from its
 * disks, with a new one of these.
 */
final class SpareDisk extends AbstractBehavior<SpareDiskCommand> {
  /** More questions than this at once are refused. */
  private static final int MOST_WAITING = 256;

  private static final String FOREIGN = ": another's table stands on it; nothing is written there";

  /** A spare that nobody uses is kept open so long, for a device that is being restarted. */
  private static final Duration UNUSED = Duration.ofMillis(200);

  /** As often as devices look at their copies. */
  private static final Duration CHECK_EVERY = Duration.ofHours(1);

  private static final int[] WARNINGS_PERCENT = {95, 90, 80};

  private final SpareParts parts;
  private final DiskAddress address;
  private final ActorRef<SpareCommand> owner;
  private final TimerScheduler<SpareDiskCommand> timers;
  private final DiskClaim claim;
  private final ArrayDeque<SpareCommand.Public> waiting = new ArrayDeque<>();
  private final Map<ActorRef<SpareReply>, User> users = new LinkedHashMap<>();

  /** All whose requests may be with the disk, by the number of their share: users, and former. */
  private final Map<Long, User> shares = new LinkedHashMap<>();

  private long lastShare;
  private @Nullable DiskPort port;
  private @Nullable TableStore store;
  private @Nullable SpareTable table;
  private long lastVersion;
  private int warnedPercent;
  private boolean stopping;

  /** Somebody who uses it for a device, or has and left requests behind. */
  private static final class User {
    final ActorRef<SpareReply> inbox;
    final String device;
    final SpareShare share;

    /** How often it asked. */
    int times;

    /** Once it writes there. */
    Optional<UUID> deviceId = Optional.empty();

    User(ActorRef<SpareReply> inbox, String device, SpareShare share) {
      this.inbox = inbox;
      this.device = device;
      this.share = share;
    }
  }

  /** Another's table stands on the disk: nothing is written there any more. */
  private boolean foreign;

  private SpareDisk(
      ActorContext<SpareDiskCommand> context,
      TimerScheduler<SpareDiskCommand> timers,
      SpareParts parts,
      DiskAddress address,
      ActorRef<SpareCommand> owner) {
    super(context);
    this.parts = parts;
    this.address = address;
    this.owner = owner;
    this.timers = timers;
    this.claim = new DiskClaim(parts.blocking());
    open();
  }

  static Behavior<SpareDiskCommand> create(
      SpareParts parts, DiskAddress address, ActorRef<SpareCommand> owner) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new SpareDisk(context, timers, parts, address, owner)));
  }

  private void open() {
    ActorRef<SpareDiskCommand> self = getContext().getSelf();
    CompletableFuture.runAsync(
            () -> {
              try {
                Disk disk = parts.opener().open(address, DiskOpener.Mode.OWN);
                if (claim.deliver(disk)) {
                  self.tell(new SpareDiskCommand.DiskOpened());
                }
              } catch (DiskException failure) {
                self.tell(new SpareDiskCommand.DiskNotOpened(failure));
              }
            },
            parts.blocking())
        .exceptionally(defect -> {
          self.tell(
              new SpareDiskCommand.DiskNotOpened(
                  new DiskException(
                      DiskException.Reason.IO, address + ": opening it failed: " + defect)));
          return null;
        });
    timers.startSingleTimer(new SpareDiskCommand.Overdue(), parts.openDeadline());
  }

  @Override
  public Receive<SpareDiskCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(SpareDiskCommand.class, this::on)
        .onSignal(PostStop.class, stopped -> released())
        .build();
  }

  private Behavior<SpareDiskCommand> released() {
    if (port != null) {
      port.detach();
    }
    claim.withdraw();
    while (!waiting.isEmpty()) {
      refuse(waiting.remove(), address + ": was closed meanwhile; try again", true);
    }
    return this;
  }

  private Behavior<SpareDiskCommand> on(SpareDiskCommand command) {
    return switch (command) {
      case SpareDiskCommand.Asked asked -> asked(asked.command());
      case SpareDiskCommand.GetUsage ask -> {
        usage().ifPresent(usage -> ask.replyTo().tell(new SpareNews.Usage(usage)));
        yield this;
      }
      case SpareDiskCommand.DiskOpened opened -> opened();
      case SpareDiskCommand.DiskNotOpened failed ->
          giveUp(
              String.valueOf(failed.failure().getMessage()),
              switch (failed.failure().reason()) {
                case MISSING, BUSY, LINGERING, IO, MOUNTED -> true;
                case READ_ONLY, NO_PERMISSION, TOO_SMALL, NOT_A_DISK, UNSUPPORTED -> false;
              });
      case SpareDiskCommand.DiskAnswered answered -> {
        if (store != null) {
          store.answered();
        }
        yield next();
      }
      case SpareDiskCommand.Overdue late ->
          table != null
              ? this
              : giveUp(address + ": opening and reading it takes too long; it may hang", true);
      case SpareDiskCommand.CloseIfUnused close -> {
        if (shares.isEmpty() && waiting.isEmpty() && (store == null || !store.isBusy())) {
          yield Behaviors.stopped();
        }
        if (users.isEmpty()) {
          timers.startSingleTimer(new SpareDiskCommand.CloseIfUnused(), UNUSED);
        }
        yield this;
      }
      case SpareDiskCommand.CheckDue due -> asked(new SpareCommand.Check(spareId()));
      case SpareDiskCommand.UserEnded ended -> {
        gone(ended.user());
        yield this;
      }
      case SpareDiskCommand.ShareEmpty empty -> {
        shares.remove(empty.share());
        yield this;
      }
      case SpareDiskCommand.Stop stop -> {
        stopping = true;
        yield next();
      }
    };
  }

  private Behavior<SpareDiskCommand> opened() {
    Disk disk = claim.disk();
    if (disk == null) {
      return this;
    }
    long sizeBytes = disk.geometry().sizeBytes();
    if (sizeBytes < SpareTable.DISK_BYTES_MIN) {
      return giveUp(address + ": too small for a spare, it needs 4 MiB at least", false);
    }
    port = disk.attach(parts.ring().engine());
    store =
        new TableStore(
            parts.ring().engine(),
            port,
            sizeBytes,
            parts.requestTimeout().toNanos(),
            () -> getContext().getSelf().tell(new SpareDiskCommand.DiskAnswered()));
    store.read(choice -> chosen(choice));
    return this;
  }

  private void chosen(SpareTable.Choice choice) {
    Optional<SpareTable> found = choice.table();
    Optional<SpareCommand.Prepare> prepare =
        waiting.stream()
            .filter(SpareCommand.Prepare.class::isInstance)
            .map(SpareCommand.Prepare.class::cast)
            .findFirst();
    if (found.isEmpty() && prepare.isPresent()) {
      makeSpare(prepare.get());
      return;
    }
    if (found.isEmpty()) {
      gaveUpWith = address + ": " + String.join("; ", choice.reasons());
      return;
    }
    table = found.get();
    lastVersion = table.version();
    timers.cancel(new SpareDiskCommand.Overdue());
    timers.startSingleTimer(new SpareDiskCommand.CheckDue(), CHECK_EVERY);
    owner.tell(new SpareNews.Known(address, table.spareId()));
    warnWhenFull(table);
    if (!choice.stale().isEmpty() && store != null) {
      happened(
          Event.Severity.WARNING,
          "spare.table-damaged",
          address
              + ": tables "
              + choice.stale()
              + " of three were damaged or old and are written anew");
      writeAnew(table, store);
    }
  }

  /** Judged first: nothing is written to a disk that holds anything. */
  private void makeSpare(SpareCommand.Prepare prepare) {
    Disk disk = claim.disk();
    TableStore tables = store;
    if (disk == null || tables == null) {
      gaveUpWith = address + ": is closed";
      return;
    }
    if (disk.address().toString().contains("tail:")) {
      gaveUpWith = address + ": a tail becomes a spare by create --self-spare only";
      return;
    }
    for (DiskIdentity.Content content : disk.identity().contents()) {
      gaveUpWith =
          address + ": holds " + content.kind() + ", which would be destroyed; wipe it first";
      return;
    }
    if (disk.geometry().logicalSectorBytes() > prepare.sectorBytesMax()) {
      gaveUpWith = sectorsTooLarge(disk, prepare);
      return;
    }
    tables.look(objection -> {
      if (objection.isPresent()) {
        gaveUpWith = address + ": " + objection.get();
        return;
      }
      lastVersion = 1;
      SpareTable first =
          new SpareTable(prepare.spareId(), lastVersion, disk.geometry().sizeBytes(), List.of());
      tables.write(
          first,
          written -> {
            if (!written.durable()) {
              gaveUpWith =
                  address
                      + ": its table could not be made durable: "
                      + String.join("; ", written.failures());
              return;
            }
            table = first;
            timers.cancel(new SpareDiskCommand.Overdue());
            timers.startSingleTimer(new SpareDiskCommand.CheckDue(), CHECK_EVERY);
            owner.tell(new SpareNews.Known(address, first.spareId()));
            happened(Event.Severity.NOTICE, "spare.made", address + ": is a spare from now on");
          });
    });
  }

  private String sectorsTooLarge(Disk disk, SpareCommand.Prepare prepare) {
    return address
        + ": its sectors have "
        + disk.geometry().logicalSectorBytes()
        + " bytes, those of the device "
        + prepare.sectorBytesMax()
        + "; a spare's may not be larger";
  }

  private void prepare(SpareCommand.Prepare prepare, SpareTable now) {
    Disk disk = claim.disk();
    if (disk != null && disk.geometry().logicalSectorBytes() > prepare.sectorBytesMax()) {
      refuse(prepare, sectorsTooLarge(disk, prepare), false);
      timers.startSingleTimer(new SpareDiskCommand.CloseIfUnused(), UNUSED);
      return;
    }
    attach(new SpareCommand.Attach(prepare.address(), prepare.device(), prepare.replyTo()), now);
  }

  private @Nullable String gaveUpWith;

  private Behavior<SpareDiskCommand> asked(SpareCommand.Public command) {
    if (command instanceof SpareCommand.Uses uses) {
      // Takes no time and no room, and may not be refused.
      uses(uses);
      return this;
    }
    if (waiting.size() >= MOST_WAITING) {
      refuse(command, address + ": too many questions at once", true);
      return this;
    }
    waiting.add(command);
    return next();
  }

  /** Answers what can be answered now, in order. */
  private Behavior<SpareDiskCommand> next() {
    if (gaveUpWith != null) {
      return giveUp(gaveUpWith, false);
    }
    while (table != null && store != null && !store.isBusy() && !waiting.isEmpty()) {
      SpareCommand.Public command = waiting.remove();
      switch (command) {
        case SpareCommand.Attach attach -> attach(attach, table);
        case SpareCommand.Prepare prepare -> prepare(prepare, table);
        case SpareCommand.Uses uses -> {}
        case SpareCommand.Detach detach -> detach(detach);
        case SpareCommand.Lend lend -> lend(lend, table, store);
        case SpareCommand.LendPlaces lend -> lendPlaces(lend, table, store);
        case SpareCommand.TakeBack back -> takeBack(back, table, store);
        case SpareCommand.Check check -> check(table, store);
        case SpareCommand.GetUsage usage -> {}
        case SpareCommand.Stop stop -> {}
      }
    }
    return stopping && (store == null || !store.isBusy()) ? Behaviors.stopped() : this;
  }

  private UUID spareId() {
    SpareTable now = table;
    return now == null ? new UUID(0, 0) : now.spareId();
  }

  private void check(SpareTable now, TableStore tables) {
    timers.startSingleTimer(new SpareDiskCommand.CheckDue(), CHECK_EVERY);
    tables.read(choice -> {
      SpareTable found = choice.table().orElse(now);
      Optional<String> another =
          tables.firstUnit().flatMap(unit -> Signature.ofAnother(unit, now.spareId()));
      if (choice.contradiction()
          || another.isPresent()
          || !found.spareId().equals(now.spareId())
          || found.version() > lastVersion) {
        foreign = true;
        parts
            .monitor()
            .tell(
                new MonitorCommand.Raise(
                    Event.Severity.CRITICAL,
                    "",
                    "spare.foreign:" + address,
                    address
                        + ": "
                        + another.orElse("another spare's table")
                        + " was written there while it was used; nothing is lent or taken back any"
                        + " more: find out who uses this disk"));
        return;
      }
      if (choice.table().isPresent() && choice.stale().isEmpty() && found.equals(now)) {
        return;
      }
      happened(
          Event.Severity.WARNING,
          "spare.table-damaged",
          address + ": of its tables some are damaged, and are written anew");
      writeAnew(now, tables);
    });
  }

  private void writeAnew(SpareTable now, TableStore tables) {
    SpareTable anew = new SpareTable(now.spareId(), ++lastVersion, now.diskBytes(), now.lent());
    tables.write(
        anew,
        written -> {
          if (written.durable()) {
            table = anew;
            happened(
                Event.Severity.NOTICE,
                "spare.table-written",
                address + ": its tables are written anew");
          }
        });
  }

  private void attach(SpareCommand.Attach attach, SpareTable now) {
    Disk disk = claim.disk();
    if (disk == null) {
      refuse(attach, address + ": is closed", true);
      return;
    }
    User user = users.get(attach.replyTo());
    if (user == null) {
      user = newUser(attach, disk);
      users.put(attach.replyTo(), user);
      getContext().watchWith(attach.replyTo(), new SpareDiskCommand.UserEnded(attach.replyTo()));
    }
    user.times++;
    attach
        .replyTo()
        .tell(
            new SpareReply.Attached(
                address,
                now.spareId(),
                user.share,
                busyForOthersThan(user),
                lendings(now.lent()),
                attach.replyTo(),
                getContext().getSelf()));
  }

  private User newUser(SpareCommand.Attach attach, Disk disk) {
    long number = ++lastShare;
    ActorRef<SpareDiskCommand> self = getContext().getSelf();
    User user =
        new User(
            attach.replyTo(),
            attach.device(),
            new SpareShare(disk, () -> self.tell(new SpareDiskCommand.ShareEmpty(number))));
    shares.put(number, user);
    return user;
  }

  private Set<UUID> busyForOthersThan(User asking) {
    Set<UUID> devices = new HashSet<>();
    for (User user : shares.values()) {
      if (user != asking) {
        user.deviceId.ifPresent(devices::add);
      }
    }
    return devices;
  }

  /** Its user may have ended before this came, and left its first writes behind. */
  private void uses(SpareCommand.Uses uses) {
    User last = null;
    for (User user : shares.values()) {
      if (user.inbox.equals(uses.user())) {
        last = user;
      }
    }
    if (last != null) {
      last.deviceId = Optional.of(uses.deviceId());
    }
  }

  private void detach(SpareCommand.Detach detach) {
    User user = users.get(detach.user());
    if (user != null && user.times > 1) {
      user.times--;
      return;
    }
    if (user != null) {
      getContext().unwatch(detach.user());
    }
    gone(detach.user());
  }

  private void gone(ActorRef<SpareReply> user) {
    User gone = users.remove(user);
    if (gone != null) {
      gone.share.end();
    }
    if (users.isEmpty()) {
      timers.startSingleTimer(new SpareDiskCommand.CloseIfUnused(), UNUSED);
    }
  }

  private void lend(SpareCommand.Lend lend, SpareTable now, TableStore tables) {
    Optional<Extents.Lending> lending =
        Extents.lend(
            new SpareTable(now.spareId(), lastVersion, now.diskBytes(), now.lent()),
            lend.deviceId(),
            lend.bytes(),
            lend.kind());
    lend(lending, lend.bytes(), lend.replyTo(), now, tables);
  }

  private void lendPlaces(SpareCommand.LendPlaces lend, SpareTable now, TableStore tables) {
    lend(
        Extents.lendPlaces(
            new SpareTable(now.spareId(), lastVersion, now.diskBytes(), now.lent()),
            lend.deviceId(),
            lend.lengthBytes(),
            lend.count()),
        lend.lengthBytes() * lend.count(),
        lend.replyTo(),
        now,
        tables);
  }

  private void lend(
      Optional<Extents.Lending> lending,
      long bytes,
      ActorRef<SpareReply> replyTo,
      SpareTable now,
      TableStore tables) {
    if (foreign) {
      replyTo.tell(new SpareReply.NotLent(now.spareId(), address + FOREIGN));
      return;
    }
    if (lending.isEmpty()) {
      replyTo.tell(
          new SpareReply.NotLent(
              now.spareId(),
              address
                  + ": "
                  + bytes
                  + " bytes more are needed, "
                  + Extents.freeBytes(now)
                  + " are free; add a spare"));
      return;
    }
    SpareTable next = lending.get().table();
    lastVersion = next.version();
    tables.write(
        next,
        written -> {
          if (written.durable()) {
            table = next;
            replyTo.tell(new SpareReply.Lent(next.spareId(), lendings(lending.get().ranges())));
            warnWhenFull(next);
          } else {
            replyTo.tell(
                new SpareReply.NotLent(
                    next.spareId(),
                    address
                        + ": lending could not be made durable: "
                        + String.join("; ", written.failures())));
          }
        });
  }

  private void takeBack(SpareCommand.TakeBack back, SpareTable now, TableStore tables) {
    if (foreign) {
      back.replyTo().tell(new SpareReply.NotTakenBack(now.spareId(), address + FOREIGN));
      return;
    }
    Optional<SpareTable> without =
        Extents.takeBack(
            new SpareTable(now.spareId(), lastVersion, now.diskBytes(), now.lent()),
            back.deviceId(),
            back.offsetBytes(),
            back.lengthBytes());
    if (without.isEmpty()) {
      back.replyTo()
          .tell(
              new SpareReply.NotTakenBack(
                  now.spareId(), address + ": that range is not lent to this device"));
      return;
    }
    SpareTable next = without.get();
    lastVersion = next.version();
    tables.write(
        next,
        written -> {
          if (written.durable()) {
            table = next;
            back.replyTo().tell(new SpareReply.TakenBack(next.spareId()));
            warnWhenFull(next);
          } else {
            back.replyTo()
                .tell(
                    new SpareReply.NotTakenBack(
                        next.spareId(), address + ": " + String.join("; ", written.failures())));
          }
        });
  }

  private void warnWhenFull(SpareTable now) {
    int percent = usageOf(now).percent();
    int reached = 0;
    for (int warning : WARNINGS_PERCENT) {
      if (percent >= warning) {
        reached = warning;
        break;
      }
    }
    if (reached > 0 && reached != warnedPercent) {
      parts
          .monitor()
          .tell(
              new MonitorCommand.Raise(
                  reached >= 95 ? Event.Severity.CRITICAL : Event.Severity.WARNING,
                  "",
                  "spare.full:" + address,
                  address
                      + ": "
                      + percent
                      + "% are lent, "
                      + Extents.freeBytes(now)
                      + " bytes are free; add a spare"));
    } else if (reached == 0 && warnedPercent > 0) {
      parts.monitor().tell(new MonitorCommand.Clear("", "spare.full:" + address));
    }
    warnedPercent = reached;
  }

  private Optional<SpareUsage> usage() {
    SpareTable now = table;
    return now == null ? Optional.empty() : Optional.of(usageOf(now));
  }

  private SpareUsage usageOf(SpareTable now) {
    return new SpareUsage(
        address.toString(),
        now.spareId(),
        now.diskBytes(),
        now.lent().stream().mapToLong(SpareTable.Lent::lengthBytes).sum(),
        Extents.freeBytes(now),
        users.values().stream().map(user -> user.device).distinct().sorted().toList(),
        "well");
  }

  private static List<SpareReply.Lending> lendings(List<SpareTable.Lent> lent) {
    List<SpareReply.Lending> lendings = new ArrayList<>();
    for (SpareTable.Lent range : lent) {
      lendings.add(
          new SpareReply.Lending(
              range.deviceId(), range.offsetBytes(), range.lengthBytes(), range.kind()));
    }
    return lendings;
  }

  private Behavior<SpareDiskCommand> giveUp(String sentence, boolean later) {
    while (!waiting.isEmpty()) {
      refuse(waiting.remove(), sentence, later);
    }
    return Behaviors.stopped();
  }

  static void refuse(SpareCommand.Public command, String sentence, boolean later, DiskAddress at) {
    switch (command) {
      case SpareCommand.Attach attach ->
          attach.replyTo().tell(new SpareReply.NotAttached(at, sentence, later));
      case SpareCommand.Prepare prepare ->
          prepare.replyTo().tell(new SpareReply.NotAttached(at, sentence, later));
      case SpareCommand.LendPlaces lend ->
          lend.replyTo().tell(new SpareReply.NotLent(lend.spareId(), sentence));
      case SpareCommand.Lend lend ->
          lend.replyTo().tell(new SpareReply.NotLent(lend.spareId(), sentence));
      case SpareCommand.TakeBack back ->
          back.replyTo().tell(new SpareReply.NotTakenBack(back.spareId(), sentence));
      case SpareCommand.Uses uses -> {}
      case SpareCommand.Detach detach -> {}
      case SpareCommand.Check check -> {}
      case SpareCommand.GetUsage usage -> usage.replyTo().tell(List.of());
      case SpareCommand.Stop stop -> stop.replyTo().tell(new SpareReply.Stopped(List.of()));
    }
  }

  private void refuse(SpareCommand.Public command, String sentence, boolean later) {
    refuse(command, sentence, later, address);
  }

  private void happened(Event.Severity severity, String kind, String sentence) {
    parts.monitor().tell(new MonitorCommand.Happened(severity, "", kind, sentence));
  }
}

package io.spared.relocation;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.format.Change;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.Proofs;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueReport;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
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
 * The actor around {@link Relocation}: one per device, on the device's home ring. It keeps at most
 * one relocation per block, so that whatever is wanted of a block happens one after the other, and
 * carries their effects out.
 *
 * <p>A fence is reached when every queue has said so that was known when it went up; a queue that
 * comes later begins with it. What the kernel holds of a write of its own keeps its slot out of
 * use, or its range in doubt, until the kernel lets go.
 *
 * <p>When it crashes, its device fails and is assembled again from its disks: the writes that
 * waited were never acknowledged.
 */
public final class Relocator extends AbstractBehavior<RelocatorCommand> {
  private static final Duration TICK = Duration.ofSeconds(1);

  /** What a relocator is made of. */
  public record Setup(
      Geometry geometry,
      RemapTable table,
      Engine engine,
      Disk main,
      Map<Integer, Disk> spares,
      DeviceDoubts doubts,
      RelocationPolicy policy,
      Consumer<RelocatorRequest> owner) {

    public Setup {
      spares = Map.copyOf(spares);
    }
  }

  /** One relocation and what the actor knows of it. */
  private final class Work implements RelocationEffects {
    final long id;
    final long block;
    final Relocation relocation;
    final Set<Integer> fenceAwaits = new LinkedHashSet<>();
    boolean running;
    long deadlineNanos;
    int movesOffSpare = -1;
    boolean leavesMain;
    long commitId;

    Work(long id, long block) {
      this.id = id;
      this.block = block;
      this.relocation = new Relocation(block, setup.geometry(), setup.table(), policy, this);
    }

    @Override
    public void fence() {
      fenceAwaits.addAll(queues.keySet());
      queues.values().forEach(queue -> queue.tell(new QueueCommand.Fence(id, block)));
      if (fenceAwaits.isEmpty()) {
        relocation.fenceReached();
      }
    }

    void fenceReached(int queueId) {
      if (fenceAwaits.remove(queueId) && fenceAwaits.isEmpty()) {
        relocation.fenceReached();
      }
    }

    @Override
    public void refuse(Errno errno) {
      queues
          .values()
          .forEach(queue -> queue.tell(new QueueCommand.RefuseAtFence(id, block, errno)));
      // It no longer works for anybody: another may begin in its stead.
      stopRunning(this);
    }

    @Override
    public void lift() {
      fenceAwaits.clear();
      queues.values().forEach(queue -> queue.tell(new QueueCommand.LiftFence(id, block)));
    }

    @Override
    public void takeSlot(long avoidSpares) {
      ask(new RelocatorRequest.TakeSlot(id, block, avoidSpares));
    }

    @Override
    public void read(long place, int firstSector, int sectors) {
      transfer(this, IoRequest.Operation.READ, place, firstSector, new byte[sectors * sectorBytes]);
    }

    @Override
    public void write(long place, int firstSector, byte[] bytes) {
      transfer(this, IoRequest.Operation.WRITE, place, firstSector, bytes);
    }

    @Override
    public void prove(long place, Errno errno) {
      proofs.ask(
          diskOf(place), errno, diskOffset(place, block), proved -> relocation.proved(proved));
    }

    @Override
    public void commit(List<Change> changes) {
      commitId = nextCommitId++;
      commits.put(commitId, this);
      ask(new RelocatorRequest.Commit(commitId, changes));
    }

    @Override
    public void giveBackSlot(long place) {
      ask(new RelocatorRequest.GiveBackSlot(place));
    }

    @Override
    public void releaseSlot(long place) {
      ask(new RelocatorRequest.ReleaseSlot(place));
    }

    @Override
    public void retireSlot(long place, boolean recorded) {
      ask(new RelocatorRequest.RetireSlot(place, recorded));
    }

    @Override
    public void answer(Owed owed, @Nullable Errno errno) {
      owedWrites--;
      ActorRef<QueueCommand> queue = queues.get(owed.queueId());
      if (queue != null) {
        queue.tell(new QueueCommand.Relocated(owed.write().ticket(), errno));
      }
    }

    @Override
    public void moved(long fromPlace, long toPlace, LostBits lost, LostBits newlyLost) {
      ask(new RelocatorRequest.BlockMoved(block, fromPlace, toPlace, lost, newlyLost));
    }

    @Override
    public void pending(LostBits unreadable) {
      ask(new RelocatorRequest.BlockPending(block, unreadable));
    }

    @Override
    public void failed(Errno errno, String reason) {
      ask(new RelocatorRequest.MoveFailed(block, errno, reason));
      if (relocation.refusesWrites()) {
        ask(new RelocatorRequest.BlockRefusesWrites(block, commitId));
      }
    }

    @Override
    public void ended() {
      works.remove(block);
      worksById.remove(id);
      stopRunning(this);
      if (movesOffSpare >= 0 || leavesMain) {
        Lookup now = new Lookup();
        setup.table().find(block, now);
        boolean left =
            leavesMain
                ? Place.isSlot(now.place)
                : !Place.isSlot(now.place) || Place.spare(now.place) != movesOffSpare;
        ask(new RelocatorRequest.MoveEnded(block, left));
      }
    }
  }

  /** One request to a disk for a relocation. */
  private final class Transfer {
    final Work work;
    final IoRequest io;
    final long place;
    final IoBuffer buffer;
    final int lengthBytes;
    final boolean writes;
    DeviceDoubts.@Nullable Range doubt;
    boolean over;

    Transfer(Work work, long place, IoBuffer buffer, int lengthBytes, boolean writes) {
      this.work = work;
      this.place = place;
      this.buffer = buffer;
      this.lengthBytes = lengthBytes;
      this.writes = writes;
      this.io = new IoRequest(completions).attach(this);
    }
  }

  private final TimerScheduler<RelocatorCommand> timers;
  private final Setup setup;
  private final Engine engine;
  private final Completions completions;
  private final int blockBytes;
  private final int sectorBytes;
  private final Proofs proofs;
  private final Map<Integer, ActorRef<QueueCommand>> queues = new LinkedHashMap<>();
  private final Map<Integer, DiskPort> ports = new HashMap<>();

  /** By block; at most one each. */
  private final Map<Long, Work> works = new LinkedHashMap<>();

  private final Map<Long, Work> worksById = new HashMap<>();
  private final Map<Long, Work> commits = new HashMap<>();
  private final ArrayDeque<Work> waiting = new ArrayDeque<>();

  /** Buffers of its own, so that a move never waits for what the frontends have taken. */
  private final ArrayDeque<IoBuffer> buffers = new ArrayDeque<>();

  private final Set<Transfer> transfers = new LinkedHashSet<>();
  private RelocationPolicy policy;
  private int running;
  private int owedWrites;
  private long nextId = 1;
  private long nextCommitId = 1;
  private boolean draining;
  private boolean drainAnswered;
  private boolean abandoned;
  private boolean ticking;
  private boolean paused;
  private boolean pauseAnswered;

  /** The relocator's behaviour; spawned on the dispatcher of the setup's engine. */
  public static Behavior<RelocatorCommand> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Relocator(context, timers, setup)));
  }

  private Relocator(
      ActorContext<RelocatorCommand> context,
      TimerScheduler<RelocatorCommand> timers,
      Setup setup) {
    super(context);
    this.timers = timers;
    this.setup = setup;
    this.policy = setup.policy();
    this.engine = setup.engine();
    this.blockBytes = setup.geometry().blockBytes();
    this.sectorBytes = setup.geometry().sectorBytes();
    ActorRef<RelocatorCommand> self = context.getSelf();
    this.completions = new Completions(() -> self.tell(new RelocatorCommand.DisksAnswered()));
    this.proofs =
        new Proofs(
            (disk, errno, offset) -> ask(new RelocatorRequest.ProveDisk(disk, errno, offset)));
    ports.put(DiskNumber.MAIN, setup.main().attach(engine));
    setup.spares().forEach((spare, disk) -> ports.put(spare, disk.attach(engine)));
  }

  @Override
  public Receive<RelocatorCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(RelocatorCommand.class, this::receive)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  /** However it ends: what it holds goes back; what the kernel holds has a count of its own. */
  private Behavior<RelocatorCommand> stopped() {
    ports.values().forEach(DiskPort::detach);
    ports.clear();
    transfers.forEach(transfer -> transfer.buffer.release());
    transfers.clear();
    buffers.forEach(IoBuffer::release);
    buffers.clear();
    return this;
  }

  private Behavior<RelocatorCommand> receive(RelocatorCommand command) {
    switch (command) {
      case RelocatorCommand.QueueOpened c -> queueOpened(c.queueId(), c.queue());
      case RelocatorCommand.QueueClosed c -> queueClosed(c.queueId());
      case RelocatorCommand.FromQueue c -> fromQueue(c.report());
      case RelocatorCommand.MoveBlock c -> moveBlock(c);
      case RelocatorCommand.LeaveMain c -> leaveMain(c.block());
      case RelocatorCommand.Pause c -> {
        paused = true;
        pauseAnswered = false;
      }
      case RelocatorCommand.GoOn c -> paused = false;
      case RelocatorCommand.SlotTaken c -> {
        Work work = worksById.get(c.relocationId());
        if (work == null) {
          ask(new RelocatorRequest.GiveBackSlot(c.place()));
        } else {
          work.relocation.slotTaken(c.place());
        }
      }
      case RelocatorCommand.NoSlot c -> {
        Work work = worksById.get(c.relocationId());
        if (work != null) {
          work.relocation.noSlot(c.errno());
        }
      }
      case RelocatorCommand.CommitEnded c -> {
        Work work =
            c.result() == RelocatorCommand.CommitResult.INDETERMINATE
                ? commits.get(c.commitId())
                : commits.remove(c.commitId());
        if (work != null) {
          work.relocation.commitEnded(c.result());
        }
      }
      case RelocatorCommand.DoubtResolved c -> {
        Work work = commits.remove(c.commitId());
        if (work != null) {
          work.relocation.doubtResolved();
        }
      }
      case RelocatorCommand.DiskProof c -> proofs.answered(c.disk(), c.proved());
      case RelocatorCommand.SpareAttached c -> attach(c.spare(), c.disk());
      case RelocatorCommand.SpareDetached c -> detach(c.spare());
      case RelocatorCommand.MainReplaced c -> mainReplaced(c.disk());
      case RelocatorCommand.SetPolicy c -> policy = c.policy();
      case RelocatorCommand.Drain c -> draining = true;
      case RelocatorCommand.Abandon c -> abandonAll();
      case RelocatorCommand.DisksAnswered c -> disksAnswered();
      case RelocatorCommand.Tick c -> tick();
    }
    return settle();
  }

  private void ask(RelocatorRequest request) {
    setup.owner().accept(request);
  }

  private Behavior<RelocatorCommand> settle() {
    while (!paused && running < policy.relocationsMax()) {
      Work work = waiting.poll();
      if (work == null) {
        break;
      }
      running++;
      work.running = true;
      work.deadlineNanos = engine.nanoTime() + policy.deadline().toNanos();
      work.relocation.start();
    }
    if (running > 0 && !ticking) {
      ticking = true;
      timers.startSingleTimer(new RelocatorCommand.Tick(), TICK);
    }
    if (paused && !pauseAnswered && running == 0) {
      pauseAnswered = true;
      ask(new RelocatorRequest.Paused());
    }
    if (draining && running == 0 && waiting.isEmpty() && !drainAnswered) {
      drainAnswered = true;
      ask(new RelocatorRequest.Drained());
    }
    if (abandoned && transfers.isEmpty()) {
      ports.values().forEach(DiskPort::detach);
      buffers.forEach(IoBuffer::release);
      buffers.clear();
      return Behaviors.stopped();
    }
    return this;
  }

  private void stopRunning(Work work) {
    if (work.running) {
      work.running = false;
      running--;
    }
  }

  // Queues.

  private void queueOpened(int queueId, ActorRef<QueueCommand> queue) {
    queues.put(queueId, queue);
    List<QueueCommand.Fence> fences = new ArrayList<>();
    for (Work work : works.values()) {
      if (work.relocation.isFenced()) {
        fences.add(new QueueCommand.Fence(work.id, work.block));
        if (work.relocation.state() == Relocation.State.FENCING) {
          work.fenceAwaits.add(queueId);
        }
      }
    }
    queue.tell(new QueueCommand.Begin(fences));
    for (Work work : works.values()) {
      if (work.relocation.refusesWrites()) {
        queue.tell(new QueueCommand.RefuseAtFence(work.id, work.block, Errno.EIO));
      }
    }
  }

  private void queueClosed(int queueId) {
    queues.remove(queueId);
    for (Work work : List.copyOf(works.values())) {
      work.fenceReached(queueId);
    }
  }

  private void fromQueue(QueueReport report) {
    switch (report) {
      case QueueReport.FenceReached r -> {
        Work work = worksById.get(r.fenceId());
        if (work != null) {
          work.fenceReached(r.queueId());
        }
      }
      case QueueReport.WriteWaits r -> writeWaits(r);
      case QueueReport.ReadFault r -> readFault(r);
      case QueueReport.Opened r -> {}
      case QueueReport.DiskDoubted r -> {}
      case QueueReport.DiskFailed r -> {}
      case QueueReport.InDoubt r -> {}
      case QueueReport.DoubtEnded r -> {}
      case QueueReport.FlushFailed r -> {}
      case QueueReport.Counted r -> {}
      case QueueReport.MirrorReached r -> {}
      case QueueReport.RecordWanted r -> {}
      case QueueReport.OverlapEnded r -> {}
      case QueueReport.MirrorFailed r -> {}
      case QueueReport.MainTaken r -> {}
      case QueueReport.Frozen r -> {}
      case QueueReport.Drained r -> {}
      case QueueReport.Closed r -> {}
    }
  }

  private void writeWaits(QueueReport.WriteWaits report) {
    Errno refused =
        draining || abandoned
            ? Errno.ESHUTDOWN
            : owedWrites >= policy.waitingMax() ? Errno.EIO : null;
    if (refused != null) {
      ActorRef<QueueCommand> queue = queues.get(report.queueId());
      if (queue != null) {
        queue.tell(new QueueCommand.Relocated(report.write().ticket(), refused));
      }
      return;
    }
    owedWrites++;
    workFor(report.write().block())
        .relocation
        .join(new RelocationEffects.Owed(report.queueId(), report.write()));
  }

  /** Hints are dropped where they do not fit: the next reader will say it again. */
  private void readFault(QueueReport.ReadFault fault) {
    if (draining || abandoned || works.containsKey(fault.block()) || isCrowded()) {
      return;
    }
    Lookup now = new Lookup();
    setup.table().find(fault.block(), now);
    if (now.place != fault.place()) {
      return;
    }
    if (fault.unreadable().isEmpty() || Place.isSlot(fault.place())) {
      workFor(fault.block()).relocation.leave(fault.place());
    } else {
      workFor(fault.block()).relocation.mark(fault.unreadable());
    }
  }

  private boolean isCrowded() {
    return waiting.size() >= policy.waitingMax();
  }

  private void moveBlock(RelocatorCommand.MoveBlock move) {
    Work present = works.get(move.block());
    if (draining || abandoned || present != null || isCrowded()) {
      ask(new RelocatorRequest.MoveEnded(move.block(), false));
      return;
    }
    Work work = workFor(move.block());
    work.movesOffSpare = move.offSpare();
    work.relocation.leaveSpare(move.offSpare(), move.givenUp());
  }

  private void leaveMain(long block) {
    if (draining || abandoned || works.containsKey(block) || isCrowded()) {
      ask(new RelocatorRequest.MoveEnded(block, false));
      return;
    }
    Work work = workFor(block);
    work.leavesMain = true;
    work.relocation.leave(Place.MAIN);
  }

  /**
   * No write waits here, since all queues are frozen: what waits are hints, or moves off spares.
   */
  private void mainReplaced(Disk disk) {
    attach(DiskNumber.MAIN, disk);
    waiting.removeIf(work -> {
      boolean hint = work.movesOffSpare < 0 && work.relocation.owed() == 0;
      if (hint) {
        works.remove(work.block);
        worksById.remove(work.id);
      }
      return hint;
    });
    paused = false;
  }

  private Work workFor(long block) {
    Work work = works.get(block);
    if (work == null) {
      work = new Work(nextId++, block);
      works.put(block, work);
      worksById.put(work.id, work);
      waiting.add(work);
    }
    return work;
  }

  // Disks.

  private static int diskOf(long place) {
    return Place.isSlot(place) ? Place.spare(place) : DiskNumber.MAIN;
  }

  private long diskOffset(long place, long block) {
    return (Place.isSlot(place) ? Place.slot(place) : block) * blockBytes;
  }

  private void transfer(
      Work work, IoRequest.Operation operation, long place, int firstSector, byte[] bytes) {
    boolean writes = operation == IoRequest.Operation.WRITE;
    DiskPort port = ports.get(diskOf(place));
    long deviceOffset = work.block * blockBytes + (long) firstSector * sectorBytes;
    if (port == null) {
      refuse(work, writes, Errno.ENODEV);
      return;
    }
    Lookup now = new Lookup();
    setup.table().find(work.block, now);
    if (writes && now.place == place && setup.doubts().isInDoubt(deviceOffset, bytes.length)) {
      refuse(work, writes, Errno.ETIMEDOUT);
      return;
    }
    IoBuffer buffer = takeBuffer();
    if (buffer == null) {
      refuse(work, writes, Errno.ENOMEM);
      return;
    }
    if (writes) {
      buffer.bytes().put(0, bytes);
    }
    Transfer transfer = new Transfer(work, place, buffer, bytes.length, writes);
    long deadline =
        Math.min(engine.nanoTime() + policy.requestDeadline().toNanos(), work.deadlineNanos);
    transfer.io.transfer(
        operation,
        diskOffset(place, work.block) + (long) firstSector * sectorBytes,
        buffer,
        0,
        bytes.length,
        deadline);
    if (writes) {
      transfer.io.durable();
    }
    transfers.add(transfer);
    port.submit(transfer.io);
  }

  private static void refuse(Work work, boolean writes, Errno errno) {
    if (writes) {
      work.relocation.writeFailed(errno, false);
    } else {
      work.relocation.readFailed(errno);
    }
  }

  private @Nullable IoBuffer takeBuffer() {
    IoBuffer buffer = buffers.poll();
    return buffer != null ? buffer : engine.buffers().take(blockBytes);
  }

  private void giveBack(IoBuffer buffer) {
    if (buffers.size() < policy.relocationsMax()) {
      buffers.add(buffer);
    } else {
      buffer.release();
    }
  }

  private void disksAnswered() {
    while (true) {
      IoRequest io = completions.next();
      if (io == null) {
        return;
      }
      if (io.attachment() instanceof Transfer transfer) {
        ended(transfer, completions.lastOutcome());
      }
    }
  }

  private void ended(Transfer transfer, Outcome outcome) {
    IoRequest io = transfer.io;
    boolean comesBack =
        (outcome == Outcome.TIMED_OUT || outcome == Outcome.CANCELLED)
            && (io.held() || io.outcome() == Outcome.RELEASED);
    if (!comesBack) {
      transfers.remove(transfer);
    }
    if (transfer.over) {
      if (!comesBack) {
        letGo(transfer);
      }
      return;
    }
    transfer.over = true;
    Relocation relocation = transfer.work.relocation;
    Errno errno = io.errno();
    switch (outcome) {
      case DONE -> {
        if (transfer.writes) {
          giveBack(transfer.buffer);
          relocation.writeDone();
        } else {
          byte[] bytes = new byte[transfer.lengthBytes];
          transfer.buffer.bytes().get(0, bytes);
          giveBack(transfer.buffer);
          relocation.readDone(bytes);
        }
      }
      case FAILED -> {
        giveBack(transfer.buffer);
        failed(transfer, errno == null ? Errno.OTHER : errno, false);
      }
      case TIMED_OUT, CANCELLED -> {
        if (comesBack) {
          keepUntilReleased(transfer);
        } else {
          giveBack(transfer.buffer);
        }
        failed(transfer, Errno.ETIMEDOUT, comesBack);
      }
      case RELEASED, IDLE, IN_FLIGHT ->
          throw new IllegalStateException("an end without a reason: " + io);
    }
  }

  private void failed(Transfer transfer, Errno errno, boolean held) {
    ask(new RelocatorRequest.DiskFailed(diskOf(transfer.place), errno, transfer.io.offsetBytes()));
    if (transfer.writes) {
      transfer.work.relocation.writeFailed(errno, held);
    } else {
      transfer.work.relocation.readFailed(errno);
    }
  }

  /** The kernel may still write: to a slot that stays held, or over a range that is in doubt. */
  private void keepUntilReleased(Transfer transfer) {
    if (transfer.writes && !isToSlotBeingFilled(transfer)) {
      long from = transfer.work.block * blockBytes;
      transfer.doubt = setup.doubts().add(from, blockBytes);
    }
  }

  private static boolean isToSlotBeingFilled(Transfer transfer) {
    return transfer.work.relocation.state() == Relocation.State.WRITING_SLOT;
  }

  private void letGo(Transfer transfer) {
    transfer.buffer.release();
    DeviceDoubts.Range doubt = transfer.doubt;
    if (doubt != null) {
      setup.doubts().remove(doubt);
    } else if (transfer.writes && !abandoned) {
      ask(new RelocatorRequest.GiveBackSlot(transfer.place));
    }
  }

  private void attach(int disk, Disk attached) {
    detach(disk);
    ports.put(disk, attached.attach(engine));
  }

  private void detach(int disk) {
    DiskPort port = ports.remove(disk);
    if (port == null) {
      return;
    }
    for (Transfer transfer : transfers) {
      if (!transfer.over && diskOf(transfer.place) == disk) {
        port.cancel(transfer.io);
      }
    }
    port.detach();
    proofs.gone(disk);
  }

  // Time and ends.

  private void tick() {
    ticking = false;
    long now = engine.nanoTime();
    for (Work work : List.copyOf(works.values())) {
      if (work.running && now - work.deadlineNanos > 0) {
        work.relocation.overdue();
      }
    }
  }

  private void abandonAll() {
    draining = true;
    drainAnswered = true;
    abandoned = true;
    for (Work work : List.copyOf(works.values())) {
      work.relocation.abandon();
    }
    works.clear();
    worksById.clear();
    commits.clear();
    waiting.clear();
    proofs.forgetAll();
    running = 0;
    for (Transfer transfer : transfers) {
      if (!transfer.over) {
        transfer.over = true;
        DiskPort port = ports.get(diskOf(transfer.place));
        if (port != null) {
          port.cancel(transfer.io);
        }
      }
    }
  }
}

package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A physical drive with a volatile write cache, outliving the processes that use it.
 *
 * <p>What it keeps, and may lose, as a real one: a write is visible to reads once it was moved, and
 * survives a power cut only if it was durable (RWF_DSYNC), or was acknowledged before a flush was
 * asked for that succeeded; everything else survives or not, sector by sector and independently,
 * but never in an older state than an earlier write that did survive to the same sector. Requests
 * in flight together may be carried out in any order, in parts, and their buffers are read and
 * filled at the moment of the transfer, not of the asking. A failed flush has forgotten some of
 * what it should have kept, and a later one that succeeds says nothing about that.
 */
public final class SimDrive {
  /** How a bad sector behaves. */
  public enum Defect {
    /** Reads fail; a write puts it right (reallocation inside the drive). */
    UNREADABLE_UNTIL_WRITTEN,
    /** Reads fail; writes seem to succeed. */
    UNREADABLE,
    /** Reads and writes fail. */
    DEAD,
    /** Writes fail, what is there can be read. */
    UNWRITABLE,
    /** Most reads fail, some succeed. */
    WEAK
  }

  /** A write that a power cut may still take back. */
  static final class CachedWrite {
    final long offsetBytes;
    final int lengthBytes;
    final byte @Nullable [] bytes;
    long acknowledgedOrder = Long.MAX_VALUE;
    boolean durable;

    CachedWrite(long offsetBytes, int lengthBytes, byte @Nullable [] bytes) {
      this.offsetBytes = offsetBytes;
      this.lengthBytes = lengthBytes;
      this.bytes = bytes;
    }
  }

  /** What stands on a drive at one moment, for drives that come back older or as a copy. */
  public record Snapshot(SectorStore bytes) {}

  private record SilentRange(long fromBytes, long toBytes) {}

  private static final int CACHED_WRITES_MAX = 128;
  private static final double WEAK_READ_FAILS = 0.7;
  private static final Errno[] MEDIA = {Errno.ENODATA, Errno.EIO, Errno.ENODATA, Errno.EILSEQ};
  private static final Errno[] TRANSPORT = {Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT};

  private boolean takesPages = true;
  private final SimWorld world;
  private final String name;
  private final String serial;
  private final DiskGeometry geometry;
  private final int sectorBytes;
  private final SimRandom random;
  private final SimFaults faults = new SimFaults();

  private SectorStore current;
  private SectorStore durable;
  private final SectorStore previous;
  private final BitSet unlikeDurable = new BitSet();
  private ArrayList<CachedWrite> cache = new ArrayList<>();
  private final TreeMap<Long, Defect> defects = new TreeMap<>();
  private final List<SilentRange> silentRanges = new ArrayList<>();

  private final ArrayList<SimOperation> inFlight = new ArrayList<>();
  private final List<SimDisk> handles = new ArrayList<>();
  private long order;
  private long plugging;
  private boolean present = true;
  private boolean hanging;
  private long stalledUntilNanos;
  private long transfers;
  private long writesAsked;
  private long troubles;

  public SimDrive(SimWorld world, String name, long sizeBytes, int sectorBytes) {
    this(
        world,
        name,
        "SN-" + name,
        new DiskGeometry(sizeBytes, sectorBytes, 4096, sectorBytes, true, true, 1 << 20));
  }

  public SimDrive(SimWorld world, String name, String serial, DiskGeometry geometry) {
    this.world = world;
    this.name = name;
    this.serial = serial;
    this.geometry = geometry;
    this.sectorBytes = geometry.logicalSectorBytes();
    this.random = world.random().fork();
    this.current = new SectorStore(geometry.sizeBytes());
    this.durable = new SectorStore(geometry.sizeBytes());
    this.previous = new SectorStore(geometry.sizeBytes());
  }

  public String name() {
    return name;
  }

  String serial() {
    return serial;
  }

  public SimFaults faults() {
    return faults;
  }

  public DiskGeometry geometry() {
    return geometry;
  }

  public DiskIdentity identity() {
    return new DiskIdentity(
        name,
        Optional.of("simulated"),
        Optional.of(serial),
        Optional.of("wwn-" + serial),
        List.of(),
        List.of());
  }

  /** Reads, writes and flushes that came to an end. */
  public long transfers() {
    return transfers;
  }

  /** Writes that were asked for, whatever became of them. */
  public long writesAsked() {
    return writesAsked;
  }

  /** How many faults of any kind this drive has shown or holds ready. */
  public long troubles() {
    return troubles;
  }

  /** Requests inside, whoever waits for them. */
  public int inFlight() {
    return inFlight.size();
  }

  // Direct access, for set-ups and checks.

  /** Writes past all faults and caches. */
  public void poke(long offsetBytes, byte[] bytes) {
    current.write(offsetBytes, bytes, 0, bytes.length);
    durable.write(offsetBytes, bytes, 0, bytes.length);
  }

  /** Reads what a fault-free reader would see. */
  public byte[] peek(long offsetBytes, int lengthBytes) {
    byte[] result = new byte[lengthBytes];
    current.read(offsetBytes, result, 0, lengthBytes);
    return result;
  }

  /** Reads what would be there if nothing of the cache survived. */
  public byte[] peekDurable(long offsetBytes, int lengthBytes) {
    byte[] result = new byte[lengthBytes];
    durable.read(offsetBytes, result, 0, lengthBytes);
    return result;
  }

  public Snapshot snapshot() {
    return new Snapshot(durable.copy());
  }

  // Faults by hand.

  public void addDefect(long sector, int count, Defect defect) {
    for (int i = 0; i < count && (sector + i) * sectorBytes < geometry.sizeBytes(); i++) {
      defects.put(sector + i, defect);
    }
    trouble("defect." + defect);
  }

  public void clearDefects() {
    defects.clear();
  }

  public void clearDefects(Defect kind) {
    defects.values().removeIf(defect -> defect == kind);
  }

  public Map<Long, Defect> defects() {
    return defects;
  }

  /** Ranges where this drive may also lie: metadata, never data. */
  public void allowSilentFaults(long fromBytes, long toBytes) {
    silentRanges.add(new SilentRange(fromBytes, toBytes));
  }

  public void forgetSilentRanges() {
    silentRanges.clear();
  }

  private byte[] beforeRot = new byte[0];
  private long rottenAt;

  /** Changes some bytes of a sector without a word. */
  public void rot(long offsetBytes) {
    long sectorAt = offsetBytes / sectorBytes * sectorBytes;
    byte[] sector = peek(sectorAt, sectorBytes);
    beforeRot = sector.clone();
    rottenAt = sectorAt;
    int from = random.below(sectorBytes);
    int count = random.geometric(0.9, sectorBytes - from);
    for (int i = 0; i < count; i++) {
      sector[from + i] ^= (byte) (1 + random.below(255));
    }
    poke(sectorAt, sector);
    trouble("rot");
  }

  /** As if the last rot had not been. */
  void unrot() {
    poke(rottenAt, beforeRot);
  }

  /** Rots a sector somewhere in the ranges open to silent faults; false when there are none. */
  public boolean rotSomewhere() {
    if (silentRanges.isEmpty()) {
      return false;
    }
    SilentRange range = silentRanges.get(random.below(silentRanges.size()));
    rot(range.fromBytes + random.below(range.toBytes - range.fromBytes));
    return true;
  }

  /** No answers until {@link #resume}. */
  public void hang() {
    hanging = true;
    trouble("hang");
    for (SimOperation operation : inFlight) {
      operation.finishNanos = SimEvent.NEVER;
      operation.partNanos = SimEvent.NEVER;
      operation.await();
    }
  }

  public void resume() {
    hanging = false;
    answerStuck();
  }

  public boolean isHanging() {
    return hanging;
  }

  /** Answers nothing for so long. */
  public void stall(long nanos) {
    trouble("stall");
    stalledUntilNanos = Math.max(stalledUntilNanos, world.nowNanos() + nanos);
    for (SimOperation operation : inFlight) {
      if (operation.finishNanos < stalledUntilNanos) {
        operation.finishNanos = stalledUntilNanos + latency();
        operation.await();
      }
    }
  }

  /** What would never have been answered is, now. */
  public void answerStuck() {
    for (SimOperation operation : inFlight) {
      if (operation.finishNanos == SimEvent.NEVER) {
        operation.finishNanos = world.nowNanos() + latency();
        operation.await();
      }
    }
  }

  /** The cable is pulled (power stays on): requests end with errors, soon or late. */
  public void disappear() {
    if (!present) {
      return;
    }
    present = false;
    hanging = false;
    trouble("disappear");
    for (SimOperation operation : inFlight) {
      operation.doomed = true;
      operation.finishNanos =
          world.nowNanos()
              + (random.chance(0.1) ? random.logUniform(1_000_000, 5_000_000_000L) : latency());
      operation.await();
    }
  }

  /** Back, with what it had; handles from before stay dead. */
  public void reappear() {
    if (!present) {
      present = true;
      plugging++;
      world.coverage().hit("fault.reappear");
    }
  }

  /** Back with contents of another time (or another drive). */
  public void reappear(Snapshot contents) {
    current = contents.bytes.copy();
    durable = contents.bytes.copy();
    cache.clear();
    unlikeDurable.clear();
    reappear();
    world.coverage().hit("fault.reappearOther");
  }

  public boolean isPresent() {
    return present;
  }

  long plugging() {
    return plugging;
  }

  /**
   * Power goes. In-flight writes reach the medium in part or not at all; of the cache, a subset of
   * sectors survives; nobody is told anything.
   */
  public void powerCut() {
    world.coverage().hit("fault.powerCut");
    for (SimOperation operation : List.copyOf(inFlight)) {
      IoRequest request = operation.request();
      if (request.operation() == IoRequest.Operation.WRITE
          && !operation.doomed
          && present
          && random.nextBoolean()) {
        int length = request.lengthBytes();
        int from = random.below(length / sectorBytes) * sectorBytes;
        int to = from + (1 + random.below((length - from) / sectorBytes)) * sectorBytes;
        moveToCache(operation, from, to);
        if (random.chance(faults.tornSectorUnreadable)) {
          addDefect(
              (request.offsetBytes() + from) / sectorBytes, 1, Defect.UNREADABLE_UNTIL_WRITTEN);
        }
      }
      world.unschedule(operation);
      operation.port().leftDrive();
    }
    inFlight.clear();
    int policy = random.below(5);
    int prefix = cache.isEmpty() ? 0 : random.below(cache.size() + 1);
    for (int i = 0; i < cache.size(); i++) {
      CachedWrite write = cache.get(i);
      boolean whole =
          switch (policy) {
            case 0 -> false;
            case 1 -> true;
            case 2 -> i < prefix;
            default -> random.nextBoolean();
          };
      if (write.durable || whole) {
        persist(write, 0, write.lengthBytes);
      } else if (policy == 4) {
        for (int at = 0; at < write.lengthBytes; at += sectorBytes) {
          if (random.nextBoolean()) {
            persist(write, at, Math.min(at + sectorBytes, write.lengthBytes));
          }
        }
      }
    }
    cache.clear();
    for (int i = unlikeDurable.nextSetBit(0); i >= 0; i = unlikeDurable.nextSetBit(i + 1)) {
      current.copyChunkFrom(durable, i);
    }
    unlikeDurable.clear();
    hanging = false;
    stalledUntilNanos = 0;
    plugging++;
    handles.clear();
  }

  /** The state a power cut would leave if nothing of the cache survived: for exact checks. */
  public int cachedWrites() {
    return cache.size();
  }

  // Handles.

  SimDisk open(
      io.spared.ffi.disk.DiskAddress address,
      io.spared.ffi.disk.DiskOpener.Mode mode,
      SimOpener opener) {
    handles.removeIf(handle -> !handle.isOpen());
    SimDisk handle = new SimDisk(this, address, mode, opener);
    handles.add(handle);
    return handle;
  }

  boolean isClaimed() {
    for (SimDisk handle : handles) {
      if (handle.claims(handle.opener().host())) {
        return true;
      }
    }
    return false;
  }

  /** Whether another process of this host has it; those of other hosts are not known. */
  boolean isClaimed(int host) {
    for (SimDisk handle : handles) {
      if (handle.claims(host)) {
        return true;
      }
    }
    return false;
  }

  /** Handles that are open now. */
  public int openHandles() {
    int count = 0;
    for (SimDisk handle : handles) {
      if (!handle.isClosed()) {
        count++;
      }
    }
    return count;
  }

  /** The process that had the drive open is gone: its handles close, its requests go on. */
  public void ownerDied() {
    ownerDied(null);
  }

  /** The same of one of several, or of all. */
  void ownerDied(@Nullable SimOpener opener) {
    for (SimDisk handle : handles) {
      if (opener == null || handle.opener() == opener) {
        handle.ownerDied();
      }
    }
  }

  // The life of a request.

  void arrive(SimOperation operation) {
    refuseInvalid(operation.request());
    operation.indexInDrive = inFlight.size();
    inFlight.add(operation);
    if (operation.request().operation() == IoRequest.Operation.WRITE) {
      writesAsked++;
    }
    operation.arrivalOrder = ++order;
    long now = world.nowNanos();
    IoRequest request = operation.request();
    if (!operation.port().disk().isConnected() || operation.port().disk().isClosed()) {
      operation.doomed = true;
      operation.finishNanos = now + latency();
    } else if (hanging) {
      operation.finishNanos = SimEvent.NEVER;
    } else if (random.chance(faults.stuck)) {
      operation.finishNanos = SimEvent.NEVER;
      trouble("stuck");
    } else {
      long takes = latency();
      if (random.chance(faults.slow)) {
        takes = random.logUniform(1_000_000, faults.slowMaxNanos);
        trouble("slow");
      }
      operation.finishNanos = Math.max(now + takes, stalledUntilNanos + latency());
      if (request.lengthBytes() > sectorBytes
          && isTransfer(request)
          && random.chance(faults.partEarly)) {
        int sectors = request.lengthBytes() / sectorBytes;
        int cut = 1 + random.below(sectors - 1);
        boolean head = random.nextBoolean();
        operation.partFromBytes = head ? 0 : cut * sectorBytes;
        operation.partToBytes = head ? cut * sectorBytes : request.lengthBytes();
        operation.partNanos = now + random.below(operation.finishNanos - now);
      }
    }
    operation.await();
  }

  private static boolean isTransfer(IoRequest request) {
    return request.operation() == IoRequest.Operation.READ
        || request.operation() == IoRequest.Operation.WRITE;
  }

  private long latency() {
    return faults.latencyMaxNanos / 10 + random.below(faults.latencyMaxNanos);
  }

  void movePart(SimOperation operation) {
    IoRequest request = operation.request();
    if (operation.doomed
        || firstBad(request, operation.partFromBytes, operation.partToBytes) >= 0) {
      operation.partToBytes = operation.partFromBytes;
      return;
    }
    if (request.operation() == IoRequest.Operation.WRITE) {
      operation.partWrite = moveToCache(operation, operation.partFromBytes, operation.partToBytes);
    } else {
      moveToBuffer(request, operation.partFromBytes, operation.partToBytes);
    }
  }

  void deadlineReached(SimOperation operation) {
    if (operation.partWrite == null && random.chance(0.2)) {
      world.coverage().hit("io.timedOutAndTakenBack");
      leave(operation);
      operation.engine().finishedWithoutTransfer(operation, IoRequest.Outcome.TIMED_OUT);
    } else {
      world.coverage().hit("io.timedOutAndHeld");
      operation.engine().abandoned(operation.request(), IoRequest.Outcome.TIMED_OUT);
    }
  }

  void cancelAsked(SimOperation operation) {
    int choice = random.below(3);
    if (choice == 0) {
      return;
    }
    // The end comes in a later signal, never within the call; by then this object may stand for
    // another request.
    long arrival = operation.arrivalOrder;
    SimPort through = operation.port();
    world.at(
        world.nowNanos() + random.below(20_000L),
        () -> {
          if (operation.isOver()
              || operation.arrivalOrder != arrival
              || !operation.port().equals(through)
              || operation.request().outcome() != IoRequest.Outcome.IN_FLIGHT
              || operation.engine().isClosed()) {
            return;
          }
          if (choice == 1 && operation.partWrite == null) {
            world.coverage().hit("io.cancelledAndTakenBack");
            leave(operation);
            operation.engine().finishedWithoutTransfer(operation, IoRequest.Outcome.CANCELLED);
          } else {
            world.coverage().hit("io.cancelledAndHeld");
            operation.engine().abandoned(operation.request(), IoRequest.Outcome.CANCELLED);
          }
        });
  }

  private void leave(SimOperation operation) {
    world.unschedule(operation);
    SimOperation last = inFlight.removeLast();
    if (last != operation) {
      inFlight.set(operation.indexInDrive, last);
      last.indexInDrive = operation.indexInDrive;
    }
    operation.port().leftDrive();
  }

  void finish(SimOperation operation) {
    leave(operation);
    transfers++;
    IoRequest request = operation.request();
    Errno errno = null;
    if (operation.doomed) {
      errno = random.nextBoolean() ? Errno.ENODEV : Errno.EIO;
    }
    if (errno == null && random.chance(faults.transport)) {
      trouble("transport");
      errno = TRANSPORT[random.below(TRANSPORT.length)];
    }
    if (errno == null) {
      errno = carryOut(operation, request);
    }
    world
        .trace()
        .add(
            request.offsetBytes() * 31 + request.operation().name().hashCode(),
            world.nowNanos() ^ ((long) (errno == null ? 0 : errno.name().hashCode()) << 32));
    if (world.trace().keepsLines()) {
      Errno said = errno;
      world
          .trace()
          .line(() ->
              world.nowNanos()
                  + " "
                  + name
                  + " "
                  + request.operation()
                  + " "
                  + request.offsetBytes()
                  + "+"
                  + request.lengthBytes()
                  + (request.isDurable() ? " durable" : "")
                  + (said == null ? "" : " " + said)
                  + (request.held() ? " (late)" : ""));
    }
    operation.engine().finished(operation, errno == null ? request.lengthBytes() : 0, errno);
  }

  private void refuseInvalid(IoRequest request) {
    if (request.operation() == IoRequest.Operation.FLUSH
        || request.operation() == IoRequest.Operation.NOTHING) {
      return;
    }
    boolean wrong =
        request.offsetBytes() < 0
            || request.lengthBytes() <= 0
            || request.offsetBytes() % sectorBytes != 0
            || request.lengthBytes() % sectorBytes != 0
            || request.offsetBytes() + request.lengthBytes() > geometry.sizeBytes();
    if (wrong) {
      throw new IllegalStateException(
          "a request that no disk of "
              + geometry.sizeBytes()
              + " bytes in sectors of "
              + sectorBytes
              + " takes: "
              + request);
    }
  }

  private @Nullable Errno carryOut(SimOperation operation, IoRequest request) {
    switch (request.operation()) {
      case READ -> {
        int bad = firstBad(request, 0, request.lengthBytes());
        if (bad < 0 && random.chance(faults.transientMedia)) {
          trouble("transientMedia");
          bad = random.below(request.lengthBytes() / sectorBytes) * sectorBytes;
        }
        if (bad >= 0) {
          // Whatever came before the bad sector may have been moved; the rest of the buffer is
          // junk.
          moveToBuffer(request, 0, bad);
          junk(request, bad);
          world.coverage().hit("io.readFailed");
          grow(request);
          return MEDIA[(int) ((request.offsetBytes() + bad) / sectorBytes % MEDIA.length)];
        }
        if (operation.partMoved) {
          moveToBuffer(request, 0, operation.partFromBytes);
          moveToBuffer(request, operation.partToBytes, request.lengthBytes());
        } else {
          moveToBuffer(request, 0, request.lengthBytes());
        }
      }
      case WRITE -> {
        int bad = firstBad(request, 0, request.lengthBytes());
        if (bad < 0 && random.chance(faults.transientMedia)) {
          trouble("transientMedia");
          bad = random.below(request.lengthBytes() / sectorBytes) * sectorBytes;
        }
        if (bad >= 0) {
          if (bad > 0 && random.nextBoolean()) {
            moveToCache(operation, 0, bad);
          }
          world.coverage().hit("io.writeFailed");
          grow(request);
          return MEDIA[(int) ((request.offsetBytes() + bad) / sectorBytes % MEDIA.length)];
        }
        CachedWrite rest;
        if (operation.partMoved && operation.partToBytes > operation.partFromBytes) {
          CachedWrite part = operation.partWrite;
          if (part != null) {
            part.acknowledgedOrder = ++order;
            part.durable |= request.isDurable();
          }
          rest =
              operation.partFromBytes == 0
                  ? moveToCache(operation, operation.partToBytes, request.lengthBytes())
                  : moveToCache(operation, 0, operation.partFromBytes);
        } else {
          rest = moveToCache(operation, 0, request.lengthBytes());
        }
        rest.acknowledgedOrder = ++order;
        rest.durable |= request.isDurable();
        trimCache();
      }
      case FLUSH -> {
        if (random.chance(faults.flushFails)) {
          trouble("flushFails");
          cache.removeIf(write ->
              !write.durable && write.acknowledgedOrder != Long.MAX_VALUE && random.nextBoolean());
          return Errno.EIO;
        }
        int last = -1;
        for (int i = 0; i < cache.size(); i++) {
          if (cache.get(i).acknowledgedOrder <= operation.arrivalOrder) {
            last = i;
          }
        }
        persistFirst(last + 1);
      }
      case DISCARD, WRITE_ZEROES -> {
        if (request.operation() == IoRequest.Operation.DISCARD && random.nextBoolean()) {
          break;
        }
        int bad = firstBad(request, 0, request.lengthBytes());
        if (bad >= 0) {
          return Errno.EIO;
        }
        CachedWrite zeros = new CachedWrite(request.offsetBytes(), request.lengthBytes(), null);
        current.zero(request.offsetBytes(), request.lengthBytes());
        remember(zeros);
        zeros.acknowledgedOrder = ++order;
        zeros.durable = request.isDurable();
        heal(request.offsetBytes(), request.lengthBytes());
        trimCache();
      }
      default -> {}
    }
    grow(request);
    return null;
  }

  /** The offset within the request of its first sector that refuses, or -1. */
  private int firstBad(IoRequest request, int fromBytes, int toBytes) {
    if (defects.isEmpty()) {
      return -1;
    }
    long first = (request.offsetBytes() + fromBytes) / sectorBytes;
    long end = (request.offsetBytes() + toBytes) / sectorBytes;
    boolean reading = request.operation() == IoRequest.Operation.READ;
    for (Map.Entry<Long, Defect> entry : defects.subMap(first, end).entrySet()) {
      boolean refuses =
          switch (entry.getValue()) {
            case UNREADABLE_UNTIL_WRITTEN, UNREADABLE -> reading;
            case DEAD -> true;
            case UNWRITABLE -> !reading;
            case WEAK -> reading && random.chance(WEAK_READ_FAILS);
          };
      if (refuses) {
        return (int) (entry.getKey() * sectorBytes - request.offsetBytes());
      }
    }
    return -1;
  }

  private void grow(IoRequest request) {
    if (!random.chance(faults.newDefect)) {
      return;
    }
    long near = request.offsetBytes() / sectorBytes + random.below(256) - 128;
    long sectors = geometry.sizeBytes() / sectorBytes;
    long at = Math.max(0, Math.min(sectors - 1, near));
    Defect[] kinds = Defect.values();
    addDefect(at, random.geometric(0.7, 32), kinds[random.below(kinds.length)]);
  }

  private void heal(long offsetBytes, long lengthBytes) {
    if (!defects.isEmpty()) {
      defects
          .subMap(offsetBytes / sectorBytes, (offsetBytes + lengthBytes) / sectorBytes)
          .values()
          .removeIf(defect -> defect == Defect.UNREADABLE_UNTIL_WRITTEN);
    }
  }

  /** A disk that is not reached through the ring from here on: ports say so. */
  public void refusePages() {
    takesPages = false;
  }

  boolean takesPages() {
    return takesPages;
  }

  private void moveToBuffer(IoRequest request, int fromBytes, int toBytes) {
    IoBuffer buffer = request.buffer();
    if (buffer == null || toBytes <= fromBytes) {
      return;
    }
    byte[] target = SimPages.of(buffer).array();
    int at = SimPages.of(buffer).arrayOffset() + request.bufferOffsetBytes() + fromBytes;
    long offset = request.offsetBytes() + fromBytes;
    SectorStore from = current;
    if (faults.stale > 0 && isSilent(offset, toBytes - fromBytes) && random.chance(faults.stale)) {
      trouble("stale");
      from = previous;
    }
    from.read(offset, target, at, toBytes - fromBytes);
  }

  private void junk(IoRequest request, int fromBytes) {
    IoBuffer buffer = request.buffer();
    if (buffer != null) {
      byte[] target = SimPages.of(buffer).array();
      int at = SimPages.of(buffer).arrayOffset() + request.bufferOffsetBytes();
      for (int i = fromBytes; i < request.lengthBytes(); i += sectorBytes) {
        java.util.Arrays.fill(target, at + i, at + i + sectorBytes, (byte) 0xBA);
      }
    }
  }

  private CachedWrite moveToCache(SimOperation operation, int fromBytes, int toBytes) {
    IoRequest request = operation.request();
    IoBuffer buffer = request.buffer();
    int length = Math.max(0, toBytes - fromBytes);
    byte[] bytes = new byte[length];
    if (buffer != null) {
      System.arraycopy(
          SimPages.of(buffer).array(),
          SimPages.of(buffer).arrayOffset() + request.bufferOffsetBytes() + fromBytes,
          bytes,
          0,
          length);
    }
    long offset = request.offsetBytes() + fromBytes;
    if (!silentRanges.isEmpty() && isSilent(offset, length)) {
      byte[] before = new byte[length];
      current.read(offset, before, 0, length);
      previous.write(offset, before, 0, length);
      if (random.chance(faults.misdirected)) {
        SilentRange range = silentRanges.get(random.below(silentRanges.size()));
        long room = (range.toBytes - range.fromBytes - length) / sectorBytes;
        if (room > 0) {
          trouble("misdirected");
          offset = range.fromBytes + random.below(room) * sectorBytes;
        }
      }
    }
    CachedWrite write = new CachedWrite(offset, length, bytes);
    current.write(offset, bytes, 0, length);
    heal(offset, length);
    remember(write);
    return write;
  }

  private boolean isSilent(long offsetBytes, int lengthBytes) {
    for (SilentRange range : silentRanges) {
      if (offsetBytes >= range.fromBytes && offsetBytes + lengthBytes <= range.toBytes) {
        return true;
      }
    }
    return false;
  }

  private void remember(CachedWrite write) {
    if (write.lengthBytes == 0) {
      return;
    }
    cache.add(write);
    int firstChunk = (int) (write.offsetBytes / SectorStore.CHUNK_BYTES);
    int lastChunk = (int) ((write.offsetBytes + write.lengthBytes - 1) / SectorStore.CHUNK_BYTES);
    unlikeDurable.set(firstChunk, lastChunk + 1);
  }

  private void trimCache() {
    if (!geometry.volatileCache()) {
      persistFirst(cache.size());
    } else if (cache.size() > CACHED_WRITES_MAX) {
      persistFirst(CACHED_WRITES_MAX / 2);
    }
  }

  private void persistFirst(int count) {
    if (count == 0) {
      return;
    }
    for (int i = 0; i < count; i++) {
      CachedWrite write = cache.get(i);
      persist(write, 0, write.lengthBytes);
    }
    cache = new ArrayList<>(cache.subList(count, cache.size()));
  }

  private void persist(CachedWrite write, int fromBytes, int toBytes) {
    byte[] bytes = write.bytes;
    if (bytes == null) {
      durable.zero(write.offsetBytes + fromBytes, toBytes - fromBytes);
    } else {
      durable.write(write.offsetBytes + fromBytes, bytes, fromBytes, toBytes - fromBytes);
    }
  }

  private void trouble(String what) {
    troubles++;
    world.coverage().hit("fault." + what);
  }
}

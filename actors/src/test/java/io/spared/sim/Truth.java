package io.spared.sim;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What every sector of a device may legally hold, by invariants 1, 2 and 10, for any number of
 * concurrent and overlapping requests.
 *
 * <p>A sector is a register. A read may return the value of a write that began before the read
 * ended and that was not certainly overwritten before the read began: by a write that succeeded,
 * began after the first had ended, and ended before the read began. What was read stays: values
 * that had ended before are gone once a later one was seen. A failed write may or may not have
 * happened, and may happen late, until a later write succeeds. After a power cut, everything comes
 * back that was not overwritten durably: by a write that was FUA, or that had ended before a flush
 * began that succeeded. After the death of the daemon alone nothing acknowledged is lost.
 */
public final class Truth {
  /** What is written. */
  public enum Kind {
    DATA,
    ZEROES,
    /** The sector may hold zeros or what it held. */
    DISCARD
  }

  /** One write of a client. */
  public static final class Write {
    final long id;
    final long firstSector;
    final int sectors;
    final Kind kind;
    final boolean fua;
    final long begun;
    long ended = Long.MAX_VALUE;
    boolean settled;
    boolean onMedium;

    /** A flush failed after it began: no later flush says anything about it. */
    boolean suspect;

    private @Nullable BitSet failed;

    private Write(long id, long firstSector, int sectors, Kind kind, boolean fua, long begun) {
      this.id = id;
      this.firstSector = firstSector;
      this.sectors = sectors;
      this.kind = kind;
      this.fua = fua;
      this.begun = begun;
    }

    public long id() {
      return id;
    }

    /**
     * What of it happened is durable. Zeroing has no durable form of its own: a flush follows, but
     * only when all of it was done; else the request has failed, and says nothing of the medium.
     */
    boolean isDurable() {
      return fua && (kind == Kind.DATA || failed == null);
    }

    /** Certainly happened in this sector. */
    boolean happened(long sector) {
      if (ended == Long.MAX_VALUE || kind == Kind.DISCARD) {
        return false;
      }
      BitSet f = failed;
      return f == null || !f.get((int) (sector - firstSector));
    }

    void failedAt(long sector) {
      BitSet f = failed;
      if (f == null) {
        f = new BitSet();
        failed = f;
      }
      f.set((int) (sector - firstSector));
    }

    boolean reads(long identified) {
      return kind == Kind.DATA ? identified == id : identified == SectorContent.ZEROS;
    }
  }

  /** A value that a sector may have. */
  private static final class Candidate {
    final Write write;

    /** A later value was seen here: gone, unless a power cut brings it back. */
    @Nullable Write hiddenBy;

    long hiddenAt;

    /**
     * Overwritten durably: no power cut brings it back, but a read that began before may see it.
     */
    boolean overwritten;

    Candidate(Write write) {
      this.write = write;
    }
  }

  private final long sectors;
  private final int sectorBytes;
  private final List<@Nullable List<Candidate>> candidates;
  private final List<Write> inFlight = new ArrayList<>();
  private final BitSet dirty = new BitSet();
  private final BitSet readFailed = new BitSet();
  private final TreeSet<Long> activeReads = new TreeSet<>();
  private final Write initial;
  private long now = 1;
  private long nextId = 1;
  private @Nullable String violation;
  private long sectorsRead;
  private long sectorsWritten;

  /** A device whose every sector holds the content of write 0. */
  public Truth(long sectors, int sectorBytes) {
    this.sectors = sectors;
    this.sectorBytes = sectorBytes;
    this.initial = new Write(0, 0, (int) sectors, Kind.DATA, true, 0);
    initial.ended = 0;
    initial.settled = true;
    initial.onMedium = true;
    this.candidates = new ArrayList<>();
    for (long i = 0; i < sectors; i++) {
      candidates.add(null);
    }
  }

  public long sectors() {
    return sectors;
  }

  public int sectorBytes() {
    return sectorBytes;
  }

  /** What was wrong first, or null. */
  public @Nullable String violation() {
    return violation;
  }

  public long sectorsRead() {
    return sectorsRead;
  }

  public long sectorsWritten() {
    return sectorsWritten;
  }

  public int writesInFlight() {
    return inFlight.size();
  }

  private void violated(Supplier<String> sentence) {
    if (violation == null) {
      violation = sentence.get();
    }
  }

  /** Something else that must not be was seen. */
  public void violated(String sentence) {
    violated(() -> sentence);
  }

  /** The state to begin with, for the drive that holds it. */
  public void fillInitial(ByteBuffer bytes, long firstSector, int count) {
    for (int i = 0; i < count; i++) {
      SectorContent.fill(bytes, i * sectorBytes, sectorBytes, 0, firstSector + i);
    }
  }

  private List<Candidate> of(long sector) {
    List<Candidate> list = candidates.get((int) sector);
    if (list == null) {
      list = new ArrayList<>(4);
      list.add(new Candidate(initial));
      candidates.set((int) sector, list);
    }
    return list;
  }

  public Write beginWrite(long firstSector, int count, Kind kind, boolean fua) {
    Write write = new Write(nextId++, firstSector, count, kind, fua, ++now);
    inFlight.add(write);
    for (int i = 0; i < count; i++) {
      of(firstSector + i).add(new Candidate(write));
      dirty.set((int) firstSector + i);
    }
    sectorsWritten += count;
    return write;
  }

  public void fill(Write write, ByteBuffer bytes, int at) {
    for (int i = 0; i < write.sectors; i++) {
      SectorContent.fill(bytes, at + i * sectorBytes, sectorBytes, write.id, write.firstSector + i);
    }
  }

  /** One sector of a write did not happen for sure; before {@link #writeEnded}. */
  public void writeFailedAt(Write write, long sector) {
    write.failedAt(sector);
  }

  public void writeEnded(Write write) {
    write.ended = ++now;
    inFlight.remove(write);
    for (int i = 0; i < write.sectors; i++) {
      long sector = write.firstSector + i;
      if (write.happened(sector)) {
        readFailed.clear((int) sector);
        if (write.isDurable()) {
          prune(sector, 0);
        }
      }
    }
  }

  /** When a flush begins. */
  public long begin() {
    return ++now;
  }

  public long beginRead() {
    activeReads.add(++now);
    return now;
  }

  public void readEnded(long begun) {
    activeReads.remove(begun);
  }

  public void flushSucceeded(long begun) {
    for (int s = dirty.nextSetBit(0); s >= 0; s = dirty.nextSetBit(s + 1)) {
      prune(s, begun);
      List<Candidate> list = of(s);
      if (list.size() == 1) {
        dirty.clear(s);
      }
    }
  }

  /** A flush failed, or its answer will never be known: the disk may have forgotten anything. */
  public void flushFailed() {
    for (int s = dirty.nextSetBit(0); s >= 0; s = dirty.nextSetBit(s + 1)) {
      for (Candidate candidate : of(s)) {
        candidate.write.suspect = true;
      }
    }
  }

  /**
   * Takes away what was overwritten durably, given a flush that began then and succeeded. A value
   * is overwritten by whatever began after it had ended, so the last to begin says it for all.
   */
  private void prune(long sector, long flushBegun) {
    List<Candidate> list = of(sector);
    long oldestRead = activeReads.isEmpty() ? now + 1 : activeReads.first();
    long lastDurable = Long.MIN_VALUE;
    for (int i = 0; i < list.size(); i++) {
      Write write = list.get(i).write;
      if (write.happened(sector)
          && (write.isDurable() || (write.ended < flushBegun && !write.suspect))) {
        lastDurable = Math.max(lastDurable, write.begun);
      }
    }
    long lastBeforeReads = lastBegun(list, sector, oldestRead);
    int kept = 0;
    for (int i = 0; i < list.size(); i++) {
      Candidate old = list.get(i);
      Write by = old.hiddenBy;
      old.overwritten |=
          lastDurable > old.write.ended
              || (by != null
                  && old.hiddenAt < flushBegun
                  && by.happened(sector)
                  && by.ended < flushBegun
                  && !by.suspect);
      if (!old.overwritten || mayBeRead(old, oldestRead, lastBeforeReads)) {
        list.set(kept++, old);
      }
    }
    list.subList(kept, list.size()).clear();
  }

  /** Checks one sector that a read, begun then and ending now, returned. */
  public void sectorRead(long sector, long begun, ByteBuffer bytes, int at) {
    long ended = ++now;
    sectorsRead++;
    long id = SectorContent.identify(bytes, at, sectorBytes, sector);
    List<Candidate> list = of(sector);
    long last = lastBegun(list, sector, begun);
    Candidate seen = null;
    for (Candidate candidate : list) {
      if (candidate.write.reads(id) && mayBeRead(candidate, begun, last)) {
        // Of several that read the same, the one that says least about the others.
        seen = seen == null || candidate.write.begun > seen.write.begun ? candidate : seen;
      }
    }
    if (seen == null) {
      violated(() ->
          "sector "
              + sector
              + " reads as "
              + SectorContent.describe(bytes, at, sectorBytes, sector)
              + ", but may hold "
              + describe(sector, begun));
      return;
    }
    if (id == SectorContent.ZEROS) {
      return;
    }
    boolean alone = seen.write.ended < begun || seen.write.settled;
    for (int i = list.size() - 1; i >= 0; i--) {
      Candidate other = list.get(i);
      if (other == seen || other.hiddenBy != null) {
        continue;
      }
      if (other.write.onMedium && seen.write.onMedium) {
        list.remove(i);
      } else if (alone
          && other.write.ended < begun
          && (other.write.happened(sector) || other.write.settled)) {
        other.hiddenBy = seen.write;
        other.hiddenAt = ended;
      }
    }
  }

  /** When the last write began that certainly happened here and had ended by then. */
  private static long lastBegun(List<Candidate> list, long sector, long begun) {
    long last = Long.MIN_VALUE;
    for (int i = 0; i < list.size(); i++) {
      Write write = list.get(i).write;
      if (write.ended < begun && write.happened(sector)) {
        last = Math.max(last, write.begun);
      }
    }
    return last;
  }

  private static boolean mayBeRead(Candidate candidate, long begun, long lastBegun) {
    return (candidate.hiddenBy == null || candidate.hiddenAt >= begun)
        && lastBegun <= candidate.write.ended;
  }

  private String describe(long sector, long begun) {
    StringBuilder text = new StringBuilder();
    List<Candidate> list = of(sector);
    long last = lastBegun(list, sector, begun);
    for (Candidate candidate : list) {
      if (mayBeRead(candidate, begun, last)) {
        text.append(text.isEmpty() ? "" : " or ")
            .append(candidate.write.kind == Kind.DATA ? "" : candidate.write.kind + " of ")
            .append("write ")
            .append(candidate.write.id)
            .append(candidate.write.happened(sector) ? "" : " (uncertain)");
      }
    }
    return text.toString();
  }

  public void sectorUnreadable(long sector) {
    readFailed.set((int) sector);
  }

  /** Sectors whose last read failed and which were not written since. */
  public BitSet unreadable() {
    return readFailed;
  }

  /** The daemon is gone, and serves again now: what was in flight may have happened, no later. */
  public void daemonDied() {
    settle();
  }

  /** As {@link #daemonDied}, and what was not durable may be gone too. */
  public void powerCut() {
    for (List<Candidate> list : candidates) {
      if (list != null) {
        list.removeIf(candidate -> candidate.overwritten);
        for (Candidate candidate : list) {
          candidate.hiddenBy = null;
        }
      }
    }
    settle();
    // Order among what is left is unknown: any may be on the medium.
    for (int s = 0; s < sectors; s++) {
      List<Candidate> list = candidates.get(s);
      if (list == null || list.size() == 1) {
        continue;
      }
      for (int i = 0; i < list.size(); i++) {
        Write write = list.get(i).write;
        Write afterwards =
            new Write(write.id, write.firstSector, write.sectors, write.kind, false, now);
        afterwards.ended = now;
        afterwards.settled = true;
        afterwards.onMedium = true;
        list.set(i, new Candidate(afterwards));
      }
    }
  }

  private void settle() {
    long at = ++now;
    for (Write write : List.copyOf(inFlight)) {
      for (int i = 0; i < write.sectors; i++) {
        write.failedAt(write.firstSector + i);
      }
      write.ended = at;
    }
    inFlight.clear();
    activeReads.clear();
    for (List<Candidate> list : candidates) {
      if (list != null) {
        for (Candidate candidate : list) {
          candidate.write.settled = true;
        }
      }
    }
    now++;
  }
}

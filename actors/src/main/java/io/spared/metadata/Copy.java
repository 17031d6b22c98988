package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.LogAppender;
import io.spared.format.Position;
import io.spared.format.Superblock;
import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.CopyState;
import org.jspecify.annotations.Nullable;

/** One copy as the writer knows it. */
final class Copy {
  static final long NEVER = Long.MAX_VALUE;
  static final int MAX_RECORD_BYTES = 8192;

  final CopyPlace place;
  final Superblock superblock;
  final Lane lane;
  @Nullable DiskPort port;
  CopyState state = CopyState.STALE;
  String reason = "";

  /** The log that takes commits; null when no area is known to be whole. */
  @Nullable LogAppender appender;

  /** The newest area that was ever seen sealed here: nothing is built over it. */
  private CopyReading.@Nullable Sealed newestSealed;

  /** The last commit that is durable here; NONE when what stands here cannot be trusted. */
  Position durable = Position.NONE;

  /** The commit that the lane is writing, or that an abandoned write may still write. */
  LogAppender.@Nullable Payload writing;

  /** No commits are given while the seal of its new area is written. */
  boolean switching;

  /** The superblock does not stand as it should. */
  boolean superblockDamaged;

  /** What writes an area of it anew just now. */
  @Nullable Build build;

  /** Writes of a checkpoint that are in flight, or were abandoned and may still be carried out. */
  int buildWrites;

  /** It was never written: building it is no repair. */
  boolean isNew;

  /** Its disk went away while it was in step, so what it held may still be all it should. */
  boolean wasOnlyAway;

  int attempts;
  long lastAttemptNanos;
  long nextAttemptNanos = NEVER;

  Copy(CopyPlace place, Superblock superblock, Lane lane) {
    this.place = place;
    this.superblock = superblock;
    this.lane = lane;
  }

  boolean isInStep() {
    return state == CopyState.IN_STEP;
  }

  /** It takes no commits until it was built anew. */
  void stale(String why) {
    state = CopyState.STALE;
    reason = why;
    switching = false;
  }

  CopyReason asReason() {
    return new CopyReason(place.copy(), place.spare(), reason);
  }

  boolean holds(long sequence) {
    return durable.sequence() >= sequence;
  }

  void sawSealed(CopyReading.Sealed seen) {
    CopyReading.Sealed known = newestSealed;
    if (known == null || known.generation() < seen.generation()) {
      newestSealed = seen;
    }
  }

  /** The area that is not to be overwritten, or -1. */
  int activeArea() {
    CopyReading.Sealed known = newestSealed;
    return known == null ? -1 : known.area();
  }
}

package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.AreaReading;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.LogAppender;
import io.spared.format.Position;
import io.spared.format.TableLoader;
import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.CopyState;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads every copy in step whole and compares it with what the writer knows that it wrote. Commits
 * go on meanwhile; whatever comes after the scrub of a copy began is not judged.
 */
final class Scrub {
  /** Hears what it found. */
  interface Owner {
    void scrubDone(int verified, List<CopyReason> damaged);

    /** Somebody else's stands where the copy was: the scrub is over. */
    void fence(Copy copy, String sentence);
  }

  private final WriterContext context;
  private final Lanes lanes;
  private final CopyFaults faults;
  private final Owner owner;
  private final ArrayDeque<Copy> left;
  private final int copies;
  private final List<CopyReason> damaged = new ArrayList<>();
  private int verified;
  private @Nullable ReadTask reading;
  private boolean over;

  Scrub(WriterContext context, Lanes lanes, CopyFaults faults, Owner owner, List<Copy> copies) {
    this.context = context;
    this.lanes = lanes;
    this.faults = faults;
    this.owner = owner;
    this.left = new ArrayDeque<>(copies);
    this.copies = copies.size();
  }

  void begin() {
    nextCopy();
  }

  double progress() {
    return copies == 0 ? 1 : 1 - (double) left.size() / copies;
  }

  void cancel() {
    over = true;
    ReadTask task = reading;
    if (task != null) {
      task.cancel();
    }
  }

  private void nextCopy() {
    reading = null;
    if (over) {
      return;
    }
    Copy copy = left.poll();
    if (copy == null) {
      over = true;
      owner.scrubDone(verified, damaged);
      return;
    }
    DiskPort port = copy.port;
    LogAppender log = copy.appender;
    if (copy.state != CopyState.IN_STEP || port == null || log == null) {
      damaged.add(new CopyReason(copy.place.copy(), copy.place.spare(), copy.reason));
      lanes.next(this::nextCopy);
      return;
    }
    Position atLeast = copy.durable;
    long buildId = log.seal().buildId();
    CopyReader reader =
        new CopyReader(
            copy.superblock.deviceId(),
            copy.superblock.spareId(),
            copy.place.offsetBytes(),
            Build.BUFFER_BYTES);
    read(
        new ReadTask(
            reader,
            port,
            lanes.newLane(Build.BUFFER_BYTES),
            lanes,
            () -> headsRead(copy, port, reader.result(), atLeast, buildId)));
  }

  private void read(ReadTask task) {
    reading = task;
    task.begin();
  }

  private void headsRead(
      Copy copy, DiskPort port, CopyReading found, Position atLeast, long buildId) {
    Optional<String> foreign =
        context.rules().foreign(found, copy.superblock.deviceId(), context.history().epoch());
    if (foreign.isPresent()) {
      over = true;
      owner.fence(copy, foreign.get());
      return;
    }
    if (copy.state != CopyState.IN_STEP) {
      // It left for a reason of its own, which is being dealt with.
      lanes.next(this::nextCopy);
      return;
    }
    Optional<AreaReading> area =
        found.areas().stream().filter(a -> a.seal().buildId() == buildId).findFirst();
    Optional<String> trouble = Optional.empty();
    if (found.kind() != CopyReading.Kind.READ) {
      trouble = Optional.of(found.sentence());
    } else if (!found.superblock().map(copy.superblock::equals).orElse(false)) {
      trouble = Optional.of("its superblock is not the one that was written");
    } else if (area.isEmpty()) {
      trouble = Optional.of("its checkpoint or seal cannot be read");
    } else if (area.get().tail().sequence() < atLeast.sequence()) {
      trouble =
          Optional.of(
              "its log ends at "
                  + area.get().tail()
                  + " and was written up to "
                  + atLeast
                  + (area.get().sentence().isEmpty() ? "" : "; " + area.get().sentence()));
    }
    if (trouble.isPresent()) {
      damaged(copy, trouble.get());
      return;
    }
    TableLoader loader =
        TableLoader.verifying(copy.superblock, area.orElseThrow(), Build.BUFFER_BYTES);
    read(
        new ReadTask(
            loader,
            port,
            lanes.newLane(Build.BUFFER_BYTES),
            lanes,
            () -> tableRead(copy, loader.failure())));
  }

  private void tableRead(Copy copy, Optional<String> failure) {
    if (failure.isPresent() && copy.state == CopyState.IN_STEP) {
      damaged(copy, failure.get());
    } else {
      verified++;
      lanes.next(this::nextCopy);
    }
  }

  private void damaged(Copy copy, String reason) {
    damaged.add(new CopyReason(copy.place.copy(), copy.place.spare(), reason));
    faults.damaged(copy, reason);
    lanes.next(this::nextCopy);
  }
}

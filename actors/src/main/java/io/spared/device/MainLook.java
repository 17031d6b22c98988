package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.MainHeads;
import io.spared.format.MainMember;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * What main looks like when a device stops, for the next start: the hash of its heads, and by what
 * it is known, which may have changed while it was used. Neither is worth a stop that is late or
 * not clean: what is not known in time is left out.
 */
final class MainLook {
  private final Run run;
  private final DeviceImage image;
  private final Disk main;
  private final MainHeads heads;
  private final DiskReading reading;
  private boolean headsDone;
  private boolean seen;
  private @Nullable DiskIdentity identity;

  MainLook(Run run, DeviceImage image, Disk main, long deadlineNanos, Runnable signal) {
    this.run = run;
    this.image = image;
    this.main = main;
    this.heads = new MainHeads(image.main().dataOffsetBytes(), image.geometry());
    this.reading =
        new DiskReading(
            heads,
            run.attach(main),
            run.parts.home().engine(),
            deadlineNanos,
            signal,
            () -> headsDone = true);
  }

  void begin() {
    reading.begin();
    DiskOpener opener = run.parts.opener();
    Disk open = main;
    ActorRef<DeviceCommand> self = run.self();
    long number = run.number;
    CompletableFuture<Void> unused =
        CompletableFuture.supplyAsync(() -> identity(opener, open), run.parts.blocking())
            .handle((found, failure) -> {
              self.tell(
                  new DeviceNews.MainSeen(number, failure == null ? found : Optional.empty()));
              return null;
            });
    if (unused.isCancelled()) {
      throw new IllegalStateException("a look was cancelled before it began");
    }
  }

  private static Optional<DiskIdentity> identity(DiskOpener opener, Disk main) {
    try (Disk now = opener.open(main.address(), DiskOpener.Mode.READ)) {
      return Optional.of(now.identity());
    } catch (DiskException cannot) {
      return Optional.empty();
    }
  }

  void answered() {
    reading.answered();
  }

  void seen(Optional<DiskIdentity> found) {
    seen = true;
    identity = found.orElse(null);
  }

  boolean isDone() {
    return headsDone && seen;
  }

  /** 0 when it is not known. */
  long headsHash() {
    return headsDone ? heads.hash() : 0;
  }

  /** Nothing when main is known as before, or when another disk seems to be at its address. */
  List<Change> changes() {
    List<Change> changes = new ArrayList<>();
    MainMember before = image.main();
    DiskIdentity now = identity;
    if (now != null
        && now.serial().equals(main.identity().serial())
        && now.wwn().equals(main.identity().wwn())
        && !now.equals(before.evidence().identity())) {
      DiskEvidence known = before.evidence();
      changes.add(
          new Change.MainRecorded(
              new MainMember(
                  before.mainId(),
                  new DiskEvidence(now, known.sizeBytes(), known.logicalSectorBytes()),
                  before.dataOffsetBytes())));
    }
    return changes;
  }
}

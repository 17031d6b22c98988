package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.format.ReplaceState;
import io.spared.format.SpareTable;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * The disk that is to take main's place: opened where that may take its time, and judged. Nothing
 * is written to a disk that holds anything; a good one is marked with main's label to be, by which
 * it is known again after a restart. The mark stands where a label of main would, in every form;
 * where the device covers that place, the copy writes over it at last.
 */
final class NewDisk {
  private static final String NO_MEMORY = ": there is no memory to read or write it; try again";

  private final Run run;
  private final DiskAddress address;
  private final UUID id;
  private final DiskClaim claim;
  private final UnitTransfers units;
  private final ArrayDeque<Long> toBeEmpty = new ArrayDeque<>();
  private @Nullable Consumer<Optional<String>> then;
  private Step step = Step.NONE;
  private @Nullable MainLabel mark;

  private enum Step {
    NONE,
    LOOKING,
    MARKING,
    KNOWING_AGAIN
  }

  NewDisk(Run run, DiskAddress address, UUID id) {
    this.run = run;
    this.address = address;
    this.id = id;
    this.claim = run.newClaim();
    this.units =
        new UnitTransfers(
            run, () -> run.tell(new DeviceNews.NewDiskAnswered(run.number, id)), this::ended);
  }

  DiskAddress address() {
    return address;
  }

  UUID id() {
    return id;
  }

  DiskClaim claim() {
    return claim;
  }

  @Nullable Disk disk() {
    return claim.disk();
  }

  /** Answered by news of this disk's id. */
  void open() {
    long number = run.number;
    ActorRef<DeviceCommand> self = run.self();
    DiskOpener opener = run.parts.opener();
    CompletableFuture.runAsync(
            () -> {
              try {
                Disk disk = opener.open(address, DiskOpener.Mode.OWN);
                if (claim.deliver(disk)) {
                  self.tell(new DeviceNews.NewDiskOpened(number, id, Optional.empty()));
                }
              } catch (DiskException failure) {
                self.tell(
                    new DeviceNews.NewDiskOpened(
                        number, id, Optional.of(String.valueOf(failure.getMessage()))));
              }
            },
            run.parts.blocking())
        .exceptionally(defect -> {
          self.tell(
              new DeviceNews.NewDiskOpened(
                  number, id, Optional.of(address + ": opening it failed: " + defect)));
          return null;
        });
  }

  /** Looks at what stands on it now, for the record; answered by news too. */
  void lookAgain() {
    long number = run.number;
    ActorRef<DeviceCommand> self = run.self();
    DiskOpener opener = run.parts.opener();
    CompletableFuture.runAsync(
            () -> {
              try (Disk disk = opener.open(address, DiskOpener.Mode.READ)) {
                self.tell(new DeviceNews.NewDiskSeen(number, id, Optional.of(disk.identity())));
              } catch (DiskException failure) {
                self.tell(new DeviceNews.NewDiskSeen(number, id, Optional.empty()));
              }
            },
            run.parts.blocking())
        .exceptionally(defect -> {
          self.tell(new DeviceNews.NewDiskSeen(number, id, Optional.empty()));
          return null;
        });
  }

  DiskEvidence evidence(Optional<DiskIdentity> seen) {
    Disk disk = opened();
    return new DiskEvidence(
        seen.orElse(disk.identity()),
        disk.geometry().sizeBytes(),
        disk.geometry().logicalSectorBytes());
  }

  private Disk opened() {
    Disk disk = claim.disk();
    if (disk == null) {
      throw new IllegalStateException(address + " is not open");
    }
    return disk;
  }

  /** A disk that is new: then gets what speaks against it, or nothing once it is marked. */
  void judge(DeviceImage image, Consumer<Optional<String>> whenDone) {
    then = whenDone;
    Optional<String> objection = unfit(image);
    if (objection.isPresent()) {
      end(Optional.of(address + ": " + objection.get()));
      return;
    }
    long size = opened().geometry().sizeBytes();
    mark =
        new MainLabel(
            id,
            image.deviceId(),
            image.form(),
            size,
            image.main().dataOffsetBytes(),
            image.geometry().deviceBytes());
    for (int copy = 0; copy < SpareTable.COPIES && size >= SpareTable.DISK_BYTES_MIN; copy++) {
      toBeEmpty.add(SpareTable.offsetBytes(copy, size));
    }
    toBeEmpty.add(0L);
    toBeEmpty.add(MainLabel.offsetBytes(size));
    step = Step.LOOKING;
    units.attach(opened());
    lookNext();
  }

  private Optional<String> unfit(DeviceImage image) {
    Disk disk = opened();
    long size = disk.geometry().sizeBytes();
    long needed = image.geometry().deviceBytes() + image.main().dataOffsetBytes();
    if (image.form() == Form.SELF_SPARE) {
      return Optional.of(
          "main of the self-spare form holds its own spare; give "
              + image.name()
              + " a spare of its own first");
    }
    if (image.form() == Form.LABELLED && MainLabel.offsetBytes(size) < needed) {
      return Optional.of(
          "too small, "
              + size
              + " bytes; with its label "
              + image.name()
              + " needs "
              + (needed + 2L * MainLabel.BYTES));
    }
    if (size < needed) {
      return Optional.of("too small, " + size + " bytes; " + image.name() + " needs " + needed);
    }
    if (disk.geometry().logicalSectorBytes() > image.geometry().sectorBytes()) {
      return Optional.of(
          "its sectors have "
              + disk.geometry().logicalSectorBytes()
              + " bytes, those of "
              + image.name()
              + " "
              + image.geometry().sectorBytes()
              + "; a new disk's may not be larger");
    }
    for (DiskIdentity.Content content : disk.identity().contents()) {
      return Optional.of("holds " + content.kind() + ", which would be destroyed; wipe it first");
    }
    return Optional.empty();
  }

  /**
   * A disk that was being copied to: then gets why it is another, or nothing.
   *
   * @param state how far the copy was
   */
  void knowAgain(DeviceImage image, ReplaceState state, Consumer<Optional<String>> whenDone) {
    then = whenDone;
    Optional<String> other = MainEvidence.another(state.newDisk(), opened());
    if (other.isPresent()) {
      end(Optional.of(address + ": is not the disk that was being copied to: " + other.get()));
      return;
    }
    long at = MainLabel.offsetBytes(opened().geometry().sizeBytes());
    long markEnds = at + MainLabel.BYTES;
    if (image.geometry().deviceBytes() > at
        && state.cursorBytes() >= Math.min(markEnds, image.geometry().deviceBytes())) {
      end(Optional.empty());
      return;
    }
    step = Step.KNOWING_AGAIN;
    units.attach(opened());
    read(at);
  }

  private void lookNext() {
    Long at = toBeEmpty.peek();
    MainLabel label = mark;
    if (at != null) {
      read(at);
    } else if (label != null) {
      step = Step.MARKING;
      if (!units.write(MainLabel.offsetBytes(label.diskBytes()), label.write())) {
        end(Optional.of(address + NO_MEMORY));
      }
    }
  }

  private void read(long offsetBytes) {
    if (!units.read(offsetBytes)) {
      end(Optional.of(address + NO_MEMORY));
    }
  }

  void answered() {
    units.answered();
  }

  private void ended(
      IoRequest.Operation operation, long offsetBytes, boolean done, ByteBuffer bytes) {
    String place = address + ": byte " + offsetBytes;
    switch (step) {
      case LOOKING -> {
        if (!done) {
          end(Optional.of(place + " cannot be read; use another disk"));
        } else if (!isEmpty(bytes)) {
          end(
              Optional.of(
                  address
                      + ": it is not empty, something stands at byte "
                      + offsetBytes
                      + "; wipe it first if nobody needs it"));
        } else {
          toBeEmpty.remove();
          lookNext();
        }
      }
      case MARKING ->
          end(
              done
                  ? Optional.empty()
                  : Optional.of(place + " cannot be written; use another disk"));
      case KNOWING_AGAIN -> {
        if (!done) {
          end(Optional.of(place + ", where its mark stands, cannot be read"));
          return;
        }
        try {
          MainLabel found = MainLabel.read(bytes, opened().geometry().sizeBytes());
          end(
              found.mainId().equals(id)
                  ? Optional.empty()
                  : Optional.of(
                      address + ": carries another mark than the disk that was copied to"));
        } catch (FormatException unmarked) {
          end(
              Optional.of(
                  address + ": does not carry the mark of the disk that was being copied to"));
        }
      }
      case NONE -> {}
    }
  }

  private static boolean isEmpty(ByteBuffer bytes) {
    while (bytes.hasRemaining()) {
      if (bytes.get() != 0) {
        return false;
      }
    }
    return true;
  }

  private void end(Optional<String> objection) {
    step = Step.NONE;
    units.detach();
    Consumer<Optional<String>> asker = then;
    then = null;
    if (asker != null) {
      asker.accept(objection);
    }
  }
}

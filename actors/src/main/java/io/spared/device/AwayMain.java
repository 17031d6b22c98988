package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.DeviceImage;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Main while its disk is away: looked for, and judged when a disk is there again.
 *
 * <p>Invariants. It returns only when it is proved to be the same disk, by its serial number, its
 * WWN or the label of this main: a disk of the right size under the same name is another until a
 * person says otherwise. And it returns only when nothing that was acknowledged was still unflushed
 * on it: its cache is lost with its power, and a flush after that would succeed all the same. So
 * what was not flushed when it went makes the next flush fail, and a person decides (invariant 10).
 * Nor does it return while the kernel holds a write that was abandoned (invariant 11).
 *
 * <p>Returning is assembling again from the disks: whatever a start refuses (another epoch, another
 * owner, a disk that is busy), this refuses too, and nothing is taken over from before.
 */
final class AwayMain {
  private static final long LOOK_NANOS = 1_000_000_000L;
  private static final String ALERT = "main.away";

  private final Run run;
  private final Serving serving;
  private final BooleanSupplier frozen;
  private final UnitTransfers units;
  private boolean away;
  private boolean resting;
  private @Nullable DiskClaim looking;
  private boolean readable;
  private Optional<MainLabel> label = Optional.empty();
  private boolean judged;
  private String told = "";

  /**
   * @param frozen intake is paused, or about to be: nothing is assembled meanwhile
   */
  AwayMain(Run run, Serving serving, BooleanSupplier frozen) {
    this.run = run;
    this.serving = serving;
    this.frozen = frozen;
    this.units =
        new UnitTransfers(
            run, () -> run.tell(new DeviceNews.MainLookAnswered(run.number)), this::read);
    // Whatever was said of it before: it has been opened.
    run.parts.monitor().tell(new MonitorCommand.Clear(run.settings.name(), ALERT));
  }

  /** The system says that it is not there, or another disk is in its place. */
  void goneAway() {
    if (away) {
      return;
    }
    away = true;
    if (isUnflushed()) {
      serving.doubts().flushFailed(Errno.ENODEV);
    }
    lookLater();
  }

  private boolean isUnflushed() {
    return serving.doubts().failedFlush() != null || serving.doubts().isUnflushed(DiskNumber.MAIN);
  }

  private void lookLater() {
    run.later("main-away", LOOK_NANOS, new DeviceNews.LookForMain(run.number));
  }

  /** The device is being stopped: nothing comes back any more. */
  void rest() {
    resting = true;
    run.notLater("main-away");
    endLook();
  }

  /** Another disk is main now. */
  void replaced() {
    away = false;
    run.notLater("main-away");
    endLook();
  }

  List<Fact> on(DeviceNews.ForAwayMain news) {
    if (!away || resting) {
      return List.of();
    }
    switch (news) {
      case DeviceNews.LookForMain look -> look();
      case DeviceNews.MainThere there -> {
        if (there.objection().isPresent()) {
          endLook();
          lookLater();
        } else {
          opened();
        }
      }
      case DeviceNews.MainLookAnswered answered -> units.answered();
    }
    return judge();
  }

  private void look() {
    DiskClaim claim = run.newClaim();
    looking = claim;
    judged = false;
    readable = false;
    label = Optional.empty();
    long number = run.number;
    ActorRef<DeviceCommand> self = run.self();
    DiskOpener opener = run.parts.opener();
    DiskAddress address = serving.main().address();
    CompletableFuture.runAsync(
            () -> {
              try {
                Disk disk = opener.open(address, DiskOpener.Mode.READ);
                if (claim.deliver(disk)) {
                  self.tell(new DeviceNews.MainThere(number, Optional.empty()));
                }
              } catch (DiskException failure) {
                self.tell(
                    new DeviceNews.MainThere(
                        number, Optional.of(String.valueOf(failure.getMessage()))));
              }
            },
            run.parts.blocking())
        .exceptionally(defect -> {
          self.tell(new DeviceNews.MainThere(number, Optional.of(String.valueOf(defect))));
          return null;
        });
  }

  private void endLook() {
    DiskClaim claim = looking;
    looking = null;
    units.detach();
    if (claim != null) {
      claim.withdraw();
    }
  }

  private void opened() {
    DiskClaim claim = looking;
    Disk disk = claim == null ? null : claim.disk();
    if (disk == null) {
      return;
    }
    units.attach(disk);
    if (!units.read(MainLabel.offsetBytes(disk.geometry().sizeBytes()))) {
      endLook();
      lookLater();
    }
  }

  /** Its last unit: that it can be read, and whether a label stands there. */
  private void read(
      IoRequest.Operation operation, long offsetBytes, boolean done, ByteBuffer bytes) {
    DiskClaim claim = looking;
    Disk disk = claim == null ? null : claim.disk();
    if (disk == null) {
      return;
    }
    judged = true;
    readable = done;
    if (done) {
      try {
        label = Optional.of(MainLabel.read(bytes, disk.geometry().sizeBytes()));
      } catch (FormatException none) {
        label = Optional.empty();
      }
    }
  }

  private List<Fact> judge() {
    DiskClaim claim = looking;
    Disk disk = claim == null ? null : claim.disk();
    if (!judged || disk == null) {
      return List.of();
    }
    String objection = readable ? objection(disk) : "";
    boolean returns = readable && objection.isEmpty();
    endLook();
    if (!returns) {
      tell(objection);
      lookLater();
      return List.of();
    }
    away = false;
    String sentence = disk.address() + " is there again, and all of it had been flushed";
    serving.happened(Event.Severity.NOTICE, "main.back", sentence);
    return List.of(new Fact.MainBack(sentence));
  }

  /** Why the disk that is there is not taken, or nothing. */
  private String objection(Disk disk) {
    DeviceImage image = serving.image();
    Optional<String> another = MainEvidence.contradiction(image, disk);
    if (another.isPresent()) {
      return another.get();
    }
    boolean labelled =
        label
            .filter(found -> found.deviceId().equals(image.deviceId()))
            .filter(found -> found.mainId().equals(image.main().mainId()))
            .isPresent();
    if (!labelled && !MainEvidence.isProved(image.main().evidence(), disk)) {
      return disk.address()
          + " is there again, but neither a serial number nor a label shows that it is the same"
          + " disk; if it is, stop and start "
          + run.settings.name();
    }
    if (isUnflushed()) {
      return disk.address()
          + " is there again, but not all that was written to it had been flushed when it went;"
          + " check what uses the device, then stop and start "
          + run.settings.name();
    }
    if (frozen.getAsBoolean() || serving.replacement().isSwitching()) {
      return disk.address() + " is there again, and is taken once the device is not frozen";
    }
    return serving.doubts().inDoubtCount() == 0
        ? ""
        : disk.address() + " is there again, but the kernel still holds writes to it";
  }

  private void tell(String sentence) {
    if (!sentence.isEmpty() && !sentence.equals(told)) {
      told = sentence;
      run.parts
          .monitor()
          .tell(
              new MonitorCommand.Raise(
                  Event.Severity.CRITICAL, run.settings.name(), ALERT, sentence));
    }
  }
}

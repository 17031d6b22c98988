package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.ffi.disk.DiskAddress;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Another disk takes main's place: the whole daemon, real files, a real NBD client. */
@Timeout(180)
final class ReplacingMainTest {
  private static final int BLOCK = 4096;
  private static final int MAIN_BYTES = 16 << 20;
  private static final int BLOCKS = MAIN_BYTES / BLOCK;

  @TempDir Path directory;

  /** What a client wrote: the version of every block, 0 for none. */
  private final int[] versions = new int[BLOCKS];

  @Test
  void underVerifiedLoadEveryByteIsOnTheNewDiskAndTheOldOneIsGivenBack()
      throws IOException, OfflineException, InterruptedException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, 4000);
      Path next = trial.empty("next.img");
      AtomicBoolean stop = new AtomicBoolean();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread load = load(trial, stop, failure);

      assertThat(replace(trial, next, 0)).isInstanceOf(Answer.Done.class);
      assertThat(replaced(trial)).isTrue();

      assertThat(trial.status("a").disks().get(0).address()).contains("next.img");
      byte[] old = Files.readAllBytes(trial.main("a"));
      stop.set(true);
      load.join();
      assertThat(failure.get()).isNull();
      assertThat(Files.readAllBytes(trial.main("a"))).isEqualTo(old);
      verify(trial, BLOCKS);
      // The configuration still names the old disk, which nothing tells apart by its evidence.
      trial.stopDaemon();
      try (FileChannel stale = FileChannel.open(trial.main("a"), StandardOpenOption.WRITE)) {
        stale.write(ByteBuffer.allocate(16 << 20), 0);
      }
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      verify(trial, BLOCKS);
      assertThat(trial.status("a").disks().get(0).address()).contains("next.img");
    }
  }

  @Test
  void sectorsThatCannotBeReadAreLostAndTheRestOfTheirBlocksIsKept()
      throws IOException, OfflineException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, 100);
      trial.fault("a", "main", "read fail=ENODATA range=40K+512");
      trial.fault("a", "main", "read fail=ENODATA range=8M+1K");
      assertThat(replace(trial, trial.empty("next.img"), 0)).isInstanceOf(Answer.Done.class);
      assertThat(replaced(trial)).isTrue();

      DeviceStatus after = trial.status("a");
      assertThat(after.remaps().remapped()).isEqualTo(2);
      assertThat(after.remaps().lostSectors()).isEqualTo(3);
      trial.client(
          "a",
          disk -> {
            org.assertj.core.api.Assertions.assertThatThrownBy(() -> disk.read(40 << 10, 512))
                .isInstanceOf(IOException.class);
            ByteBuffer rest = Trial.block(10, 1);
            assertThat(disk.read((40 << 10) + 512, BLOCK - 512))
                .isEqualTo(rest.slice(512, BLOCK - 512));
            disk.write(40 << 10, Trial.block(10, 2));
            assertThat(disk.read(40 << 10, BLOCK)).isEqualTo(Trial.block(10, 2));
          });
    }
  }

  @Test
  void afterACrashItGoesOnWhereItWas() throws IOException, OfflineException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, BLOCKS / 8);
      Path next = trial.empty("next.img");
      assertThat(replace(trial, next, 4 << 20)).isInstanceOf(Answer.Done.class);
      assertThat(trial.until("a", s -> copied(s) > 10L << 20)).isTrue();
      // Below the cursor: to both disks, and recorded.
      trial.client("a", disk -> write(disk, 5, 77));
      trial.crash("a");
      assertThat(trial.serves("a")).isTrue();
      // Before the copier is back, or after: recorded in any case.
      trial.client("a", disk -> write(disk, 300, 78));
      assertThat(trial.until("a", s -> s.replacing().isEmpty() || copied(s) > 2L << 20)).isTrue();
      assertThat(replaced(trial)).isTrue();
      assertThat(trial.status("a").disks().get(0).address()).contains("next.img");
      verify(trial, BLOCKS);
    }
  }

  @Test
  void afterACleanStopItGoesOnAndNothingIsCopiedAgain() throws IOException, OfflineException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, BLOCKS / 8);
      assertThat(replace(trial, trial.empty("next.img"), 10 << 20)).isInstanceOf(Answer.Done.class);
      assertThat(trial.until("a", s -> copied(s) > 5L << 20)).isTrue();
      trial.client("a", disk -> write(disk, 5, 77));
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.until("a", s -> s.replacing().isEmpty() || copied(s) > 4L << 20)).isTrue();
      assertThat(trial.status("a").replacing().map(DeviceStatus.Replacing::againBytes).orElse(0L))
          .isZero();
      assertThat(replaced(trial)).isTrue();
      verify(trial, BLOCKS);
    }
  }

  @Test
  void aNewDiskThatFailsInTheMiddleIsGivenUpAndTheDeviceServesOn()
      throws IOException, OfflineException, InterruptedException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, 1000);
      AtomicBoolean stop = new AtomicBoolean();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread load = load(trial, stop, failure);
      assertThat(replace(trial, trial.empty("next.img"), 10 << 20)).isInstanceOf(Answer.Done.class);
      assertThat(trial.until("a", s -> copied(s) > 2L << 20)).isTrue();

      trial.fault("a", "new", "write fail=EIO");

      assertThat(trial.until("a", s -> s.replacing().isEmpty())).isTrue();
      assertThat(trial.count("replace.abandoned")).isEqualTo(1);
      assertThat(trial.status("a").phase()).isEqualTo(Phase.ACTIVE);
      stop.set(true);
      load.join();
      assertThat(failure.get()).isNull();
      assertThat(trial.status("a").disks().get(0).address()).contains("a-main.img");
      verify(trial, BLOCKS);
      trial.crash("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").replacing()).isEmpty();
      verify(trial, BLOCKS);
    }
  }

  @Test
  void itCanBeCancelledAndBegunAgain() throws IOException, OfflineException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      fill(trial, 100);
      assertThat(trial.command("a", DeviceCommand.CancelReplace::new).sentence())
          .contains("not being replaced");
      assertThat(replace(trial, trial.empty("one.img"), 4 << 20)).isInstanceOf(Answer.Done.class);
      assertThat(replace(trial, trial.empty("two.img"), 0).sentence()).contains("already");
      assertThat(trial.until("a", s -> copied(s) > 1 << 20)).isTrue();
      assertThat(trial.command("a", DeviceCommand.CancelReplace::new))
          .isInstanceOf(Answer.Done.class);
      assertThat(trial.status("a").replacing()).isEmpty();
      assertThat(replace(trial, directory.resolve("two.img"), 0)).isInstanceOf(Answer.Done.class);
      assertThat(replaced(trial)).isTrue();
      assertThat(trial.status("a").disks().get(0).address()).contains("two.img");
      verify(trial, BLOCKS);
    }
  }

  @Test
  void aDiskThatIsTooSmallInUseOrNotEmptyIsRefusedAndStaysAsItWas()
      throws IOException, OfflineException {
    try (Trial trial = started("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      Path small = directory.resolve("small.img");
      Files.write(small, new byte[8 << 20]);
      assertThat(refused(trial, small))
          .contains("small.img: too small")
          .contains(Integer.toString(MAIN_BYTES));
      Path used = trial.empty("used.img");
      try (FileChannel file = FileChannel.open(used, StandardOpenOption.WRITE)) {
        file.write(ByteBuffer.wrap(new byte[] {1}), (64 << 20) - 1);
      }
      byte[] before = Files.readAllBytes(used);
      assertThat(refused(trial, used)).contains("used.img").contains("not empty");
      assertThat(Arrays.equals(Files.readAllBytes(used), before)).isTrue();
      assertThat(refused(trial, trial.main("b"))).contains("b-main.img");
      assertThat(refused(trial, trial.spare("b"))).contains("b-spare.img");
      assertThat(refused(trial, trial.spare("a"))).contains("already");
      assertThat(refused(trial, trial.main("a"))).contains("already");
      assertThat(refused(trial, directory.resolve("nowhere.img"))).contains("nowhere.img");
      assertThat(trial.status("a").replacing()).isEmpty();
    }
  }

  @Test
  void aSpareIsReplacedByCommandAndTheOldOneLeaves() throws IOException, OfflineException {
    try (Trial trial = started("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=40K+40K");
      trial.client(
          "a",
          disk -> {
            for (int block = 10; block < 20; block++) {
              write(disk, block, 3);
            }
          });
      Path next = trial.empty("spare-next.img");
      assertThat(ctl(trial, "replace", "a", "spare-0", next.toString())).contains("spare 1");
      assertThat(
              trial.until(
                  "a",
                  s -> s.disks().stream().noneMatch(disk -> disk.address().contains("a-spare"))))
          .isTrue();
      verify(trial, BLOCKS);
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(10);
      assertThat(ctl(trial, "replace", "a", "--cancel")).contains("not being replaced");
      assertThat(ctl(trial, "replace", "a", "disk", "/dev/null")).contains("main, spare-0");
    }
  }

  /** Devices on small main disks: what is tried is copying, not for how long. */
  private Trial started(String... names) throws IOException, OfflineException {
    Trial trial = new Trial(directory);
    for (String name : names) {
      try (FileChannel main =
          FileChannel.open(
              trial.main(name), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        main.write(ByteBuffer.wrap(new byte[1]), MAIN_BYTES - 1);
      }
      trial.createOn(name, trial.main(name).toString());
    }
    return trial.start(names);
  }

  /** What the command says, wherever it says it. */
  private static String ctl(Trial trial, String... words) {
    StringWriter out = new StringWriter();
    List<String> all = new ArrayList<>(List.of("--socket", trial.socket().toString()));
    all.addAll(List.of(words));
    Ctl.run(all.toArray(new String[0]), new PrintWriter(out), new PrintWriter(out));
    return out.toString();
  }

  private static String refused(Trial trial, Path disk) {
    Answer answer = replace(trial, disk, 0);
    assertThat(answer).isInstanceOf(Answer.Refused.class);
    return answer.sentence();
  }

  private static Answer replace(Trial trial, Path disk, long bytesPerSecond) {
    return trial.command(
        "a",
        replyTo ->
            new DeviceCommand.Replace(
                new DiskAddress.OfFault(new DiskAddress.OfPath(disk)), bytesPerSecond, replyTo));
  }

  private static boolean replaced(Trial trial) {
    return trial.until("a", s -> s.replacing().isEmpty() && trial.count("replace.done") > 0);
  }

  private static long copied(DeviceStatus status) {
    return status.replacing().map(DeviceStatus.Replacing::copiedBytes).orElse(0L);
  }

  private void write(io.spared.app.offline.OfflineDisk disk, int block, int version)
      throws IOException {
    versions[block] = version;
    disk.write((long) block * BLOCK, Trial.block(block, version));
  }

  private void fill(Trial trial, int blocks) throws IOException, OfflineException {
    trial.client(
        "a",
        disk -> {
          ByteBuffer all = ByteBuffer.allocate(blocks * BLOCK);
          for (int block = 0; block < blocks; block++) {
            versions[block] = 1;
            all.put(Trial.block(block, 1));
          }
          disk.write(0, all.flip());
        });
  }

  /** Reads blocks from the beginning and compares them with what was written. */
  private void verify(Trial trial, int blocks) throws IOException, OfflineException {
    trial.client(
        "a",
        disk -> {
          for (int from = 0; from < blocks; from += 256) {
            ByteBuffer read = disk.read((long) from * BLOCK, 256 * BLOCK);
            for (int block = from; block < from + 256 && blocks == BLOCKS; block++) {
              ByteBuffer wanted =
                  versions[block] == 0
                      ? ByteBuffer.allocate(BLOCK)
                      : Trial.block(block, versions[block]);
              assertThat(read.slice((block - from) * BLOCK, BLOCK))
                  .as("block %d", block)
                  .isEqualTo(wanted);
            }
          }
        });
  }

  /** Writes blocks all over the device, each read back at once; some next to one another. */
  private Thread load(Trial trial, AtomicBoolean stop, AtomicReference<Throwable> failure) {
    Random random = new Random(7);
    return Thread.ofPlatform()
        .start(() -> {
          try {
            trial.client(
                "a",
                disk -> {
                  int version = 2;
                  while (!stop.get()) {
                    int block = random.nextInt(BLOCKS);
                    write(disk, block, ++version);
                    assertThat(disk.read((long) block * BLOCK, BLOCK))
                        .isEqualTo(Trial.block(block, version));
                  }
                });
          } catch (Throwable broken) {
            failure.set(broken);
          }
        });
  }
}

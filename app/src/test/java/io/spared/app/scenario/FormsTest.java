package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.format.Owner;
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
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The forms of a set-up: the whole daemon, real files, a real NBD client. */
@Timeout(180)
final class FormsTest {
  private static final long DISK_BYTES = 64 << 20;
  private static final long LABEL_AT = DISK_BYTES - MainLabel.BYTES;
  private static final long TAIL_BYTES = 32 << 20;

  @TempDir Path directory;

  @Test
  void aLabelledDeviceMovesBlocksAndIsThereAfterARestart() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").sizeBytes()).isEqualTo(LABEL_AT);
      servesMovesAndComesBack(trial, LABEL_AT);
      assertThat(label(trial).form()).isEqualTo(Form.LABELLED);
    }
  }

  @Test
  void aDeviceThatIsItsOwnSpareMovesBlocksAndIsThereAfterARestart()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.SELF_SPARE).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").sizeBytes()).isEqualTo(LABEL_AT - TAIL_BYTES);
      servesMovesAndComesBack(trial, LABEL_AT - TAIL_BYTES);
      assertThat(label(trial).form()).isEqualTo(Form.SELF_SPARE);
    }
  }

  /** The last block of the device, too: nothing of label or tail is written over. */
  private static void servesMovesAndComesBack(Trial trial, long deviceBytes)
      throws IOException, OfflineException {
    int last = (int) (deviceBytes / 4096) - 1;
    trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
    trial.client(
        "a",
        disk -> {
          for (int block : new int[] {0, 10, last}) {
            disk.write(block * 4096L, Trial.block(block, 5));
          }
        });
    assertThat(trial.status("a").remaps().remapped()).isEqualTo(1);
    trial.stopDaemon();
    trial.start("a");
    assertThat(trial.serves("a")).isTrue();
    assertThat(trial.status("a").copies().good()).isEqualTo(5);
    trial.client(
        "a",
        disk -> {
          for (int block : new int[] {0, 10, last}) {
            assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, 5));
          }
        });
  }

  @Test
  void anotherFormIsTakenWhileServingWhereThereIsRoom() throws IOException, OfflineException {
    try (Trial trial =
        new Trial(directory).create("a", Form.LABELLED).create("b").start("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      trial.client("a", disk -> disk.write(0, Trial.block(0, 5)));
      assertThat(convert(trial, "a", Form.ADOPT)).isInstanceOf(Answer.Done.class);
      assertThat(tail(trial)).containsOnly(0);
      assertThat(convert(trial, "a", Form.ADOPT).sentence()).contains("already");
      try (FileChannel file = FileChannel.open(trial.main("a"), StandardOpenOption.WRITE)) {
        file.write(ByteBuffer.wrap(new byte[] {1}), DISK_BYTES - 1);
      }
      assertThat(convert(trial, "a", Form.LABELLED).sentence()).contains("not empty");
      try (FileChannel file = FileChannel.open(trial.main("a"), StandardOpenOption.WRITE)) {
        file.write(ByteBuffer.wrap(new byte[] {0}), DISK_BYTES - 1);
      }
      assertThat(convert(trial, "a", Form.LABELLED)).isInstanceOf(Answer.Done.class);
      assertThat(label(trial).form()).isEqualTo(Form.LABELLED);
      assertThat(convert(trial, "b", Form.LABELLED).sentence()).contains("no room");
      assertThat(convert(trial, "b", Form.SELF_SPARE).sentence()).contains("create only");
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").form()).isEqualTo("labelled");
      trial.client("a", disk -> assertThat(disk.read(0, 4096)).isEqualTo(Trial.block(0, 5)));
    }
  }

  @Test
  void aDeviceThatIsItsOwnSpareGetsAnotherAndIsLabelledThen() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.SELF_SPARE).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
      trial.client("a", disk -> disk.write(40 << 10, Trial.block(10, 5)));
      assertThat(convert(trial, "a", Form.LABELLED).sentence()).contains("spared ctl replace a");
      Path next = trial.empty("next.img");
      assertThat(ctl(trial, "replace", "a", "spare-0", next.toString())).contains("spare 1");
      assertThat(trial.until("a", FormsTest::hasLeftItsTail)).isTrue();

      assertThat(convert(trial, "a", Form.LABELLED)).isInstanceOf(Answer.Done.class);

      assertThat(label(trial).form()).isEqualTo(Form.LABELLED);
      trial.stopDaemon();
      trial.configure("a", trial.main("a"), next);
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").form()).isEqualTo("labelled");
      trial.client(
          "a", disk -> assertThat(disk.read(40 << 10, 4096)).isEqualTo(Trial.block(10, 5)));
    }
  }

  private static boolean hasLeftItsTail(DeviceStatus status) {
    return status.disks().stream().noneMatch(disk -> disk.address().contains("tail:"));
  }

  @Test
  void aTailThatIsNotEmptyOrNotItsOwnBecomesNoSpare() throws IOException, OfflineException {
    Path disk = directory.resolve("used.img");
    byte[] used = new byte[(int) DISK_BYTES];
    used[(int) (DISK_BYTES - (12 << 20))] = 1;
    Files.write(disk, used);
    assertThatThrownBy(() -> create(disk, "32M")).hasMessageContaining("not empty");
    assertThatThrownBy(() -> create(disk, "1G")).hasMessageContaining("smaller than the disk");
    assertThatThrownBy(() -> create(disk, "4097K")).hasMessageContaining("whole MiB");
    assertThat(Arrays.equals(Files.readAllBytes(disk), used)).isTrue();
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      byte[] before = Files.readAllBytes(trial.main("a"));
      assertThat(ctl(trial, "add-spare", "a", "tail:24M:" + trial.main("a")))
          .contains("create --self-spare");
      assertThat(Arrays.equals(Files.readAllBytes(trial.main("a")), before)).isTrue();
    }
  }

  private static void create(Path disk, String tail) throws IOException, OfflineException {
    try (OfflineDisks disks = new OfflineDisks()) {
      new Creation(
              disks,
              new Creation.Request(
                  "x",
                  disk.toString(),
                  List.of("tail:" + tail + ":" + disk),
                  Form.SELF_SPARE,
                  4096,
                  5,
                  false,
                  new Owner(new UUID(1, 2), "trial")))
          .make();
    }
  }

  private static Answer convert(Trial trial, String name, Form form) {
    return trial.command(name, replyTo -> new DeviceCommand.Convert(form, replyTo));
  }

  private static MainLabel label(Trial trial) throws IOException {
    ByteBuffer unit = ByteBuffer.wrap(tail(trial)).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    try {
      return MainLabel.read(unit, DISK_BYTES);
    } catch (FormatException unreadable) {
      throw new IOException(unreadable);
    }
  }

  private static byte[] tail(Trial trial) throws IOException {
    byte[] all = Files.readAllBytes(trial.main("a"));
    return Arrays.copyOfRange(all, (int) LABEL_AT, all.length);
  }

  private static String ctl(Trial trial, String... words) {
    List<String> all = new ArrayList<>(List.of("--socket", trial.socket().toString()));
    all.addAll(List.of(words));
    StringWriter out = new StringWriter();
    Ctl.run(all.toArray(new String[0]), new PrintWriter(out), new PrintWriter(out));
    return out.toString();
  }
}

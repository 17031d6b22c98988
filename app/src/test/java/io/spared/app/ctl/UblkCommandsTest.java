package io.spared.app.ctl;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ublk.UblkIdentity;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class UblkCommandsTest {
  private static final long OURS = UblkIdentity.of(new UUID(3, 4));

  private static String line(UblkDeviceState state, int process, long tag) {
    return UblkCommands.line(
        new UblkDeviceInfo(5, 2, 128, 512 << 10, state, process, Set.of(), tag));
  }

  @Test
  void aListSaysWhoServesADeviceAndWhoseItIs() {
    assertThat(line(UblkDeviceState.LIVE, 77, OURS))
        .isEqualTo("/dev/ublkb5  served by process 77, 2 queues of 128, spared's");
    assertThat(line(UblkDeviceState.QUIESCED, 77, OURS))
        .isEqualTo("/dev/ublkb5  waits for a daemon, 2 queues of 128, spared's");
    assertThat(line(UblkDeviceState.DEAD, -1, 0))
        .isEqualTo("/dev/ublkb5  not started, 2 queues of 128, another program's");
  }

  @Test
  void aHostWithoutTheDriverIsToldWhatToDo(@TempDir Path directory) {
    StringWriter said = new StringWriter();
    PrintWriter out = new PrintWriter(said, true);
    String[] words = {"ublk", "--control", directory.resolve("none").toString(), "list"};
    assertThat(Ctl.run(words, out, out)).isEqualTo(Ctl.REFUSED);
    assertThat(said.toString()).containsAnyOf("modprobe ublk_drv", "io_uring");
  }
}

package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import org.junit.jupiter.api.Test;

final class UblkSentencesTest {
  @Test
  void aRefusedDeviceIsExplainedByWhatThePersonCanDo() {
    assertThat(UblkSentences.refusal(Command.ADD_DEV, Errno.EPERM)).contains("CAP_SYS_ADMIN");
    // The driver's answer to root when its limit of devices is reached.
    assertThat(UblkSentences.refusal(Command.ADD_DEV, Errno.EACCES))
        .contains("ublks_max")
        .doesNotContain("root");
    assertThat(UblkSentences.refusal(Command.ADD_DEV, Errno.EEXIST)).contains("number is taken");
    assertThat(UblkSentences.refusal(Command.ADD_DEV, Errno.ENOMEM)).contains("shallower");
  }

  @Test
  void everyRefusalIsOneSentenceThatNamesItsReason() {
    for (Command command : Command.values()) {
      assertThat(UblkSentences.refusal(command, Errno.EIO)).contains("EIO").doesNotContain("\n");
    }
  }
}

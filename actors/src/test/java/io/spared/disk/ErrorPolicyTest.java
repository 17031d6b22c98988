package io.spared.disk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.ErrorPolicy.Fault;
import io.spared.ffi.Errno;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ErrorPolicyTest {
  @Test
  void onlyThreeErrorsMayEverMoveABlockAndOneOfThemOnlyAfterAProof() {
    Set<Errno> media = EnumSet.noneOf(Errno.class);
    Set<Errno> toBeProved = EnumSet.noneOf(Errno.class);
    for (Errno errno : Errno.values()) {
      switch (ErrorPolicy.faultOf(errno)) {
        case MEDIA -> media.add(errno);
        case TO_BE_PROVED -> toBeProved.add(errno);
        case TRANSPORT, TIMEOUT, NO_SPACE, PROTECTION, UNSUPPORTED -> {}
      }
    }
    assertThat(media).containsExactlyInAnyOrder(Errno.ENODATA, Errno.EILSEQ);
    assertThat(toBeProved).containsExactly(Errno.EIO);
  }

  @Test
  void anErrorThatNobodyKnowsIsTheDisksNotTheMediums() {
    assertThat(ErrorPolicy.faultOf(Errno.OTHER)).isEqualTo(Fault.TRANSPORT);
    assertThat(ErrorPolicy.faultOf(Errno.ENOMEM)).isEqualTo(Fault.TRANSPORT);
  }

  @Test
  void theClientIsToldOneOfAFewErrorsThatBlockDevicesGive() {
    Set<Errno> told = EnumSet.noneOf(Errno.class);
    for (Errno errno : Errno.values()) {
      told.add(ErrorPolicy.told(errno));
    }
    assertThat(told)
        .containsExactlyInAnyOrder(
            Errno.EIO, Errno.ETIMEDOUT, Errno.ENOSPC, Errno.EROFS, Errno.EPERM, Errno.EOPNOTSUPP);
    assertThat(ErrorPolicy.told(Errno.EROFS)).isEqualTo(Errno.EROFS);
    assertThat(ErrorPolicy.told(Errno.ENODATA)).isEqualTo(Errno.EIO);
  }
}

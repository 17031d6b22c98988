package io.spared.ffi.ublk;

import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;

/** What a kernel's driver offers and what a device was made with, in the order of their bits. */
public enum UblkFeature {
  SUPPORT_ZERO_COPY(0),
  URING_CMD_COMP_IN_TASK(1),
  NEED_GET_DATA(2),
  USER_RECOVERY(3),
  USER_RECOVERY_REISSUE(4),
  UNPRIVILEGED_DEV(5),
  CMD_IOCTL_ENCODE(6),
  USER_COPY(7),
  ZONED(8),
  USER_RECOVERY_FAIL_IO(9),
  UPDATE_SIZE(10),
  AUTO_BUF_REG(11),
  QUIESCE(12),
  PER_IO_DAEMON(13),
  BUF_REG_OFF_DAEMON(14),
  BATCH_IO(15),
  INTEGRITY(16),
  SAFE_STOP_DEV(17),
  NO_AUTO_PART_SCAN(18),
  SHMEM_ZC(19);

  private final int position;

  UblkFeature(int position) {
    this.position = position;
  }

  long bit() {
    return 1L << position;
  }

  /** The known ones among the driver's bits; newer ones are left out, since nobody here asks. */
  static Set<UblkFeature> of(long bits) {
    EnumSet<UblkFeature> features = EnumSet.noneOf(UblkFeature.class);
    for (UblkFeature feature : values()) {
      if ((bits & feature.bit()) != 0) {
        features.add(feature);
      }
    }
    return features;
  }

  static long bits(Set<UblkFeature> features) {
    long bits = 0;
    for (UblkFeature feature : features) {
      bits |= feature.bit();
    }
    return bits;
  }

  /** For people. */
  public static String names(Set<UblkFeature> features) {
    return features.stream().map(Enum::name).collect(Collectors.joining(" "));
  }
}

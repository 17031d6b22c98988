package io.spared.ublk;

import io.spared.ffi.Errno;

/** What the driver's refusals mean, in one sentence each. */
final class UblkSentences {
  private UblkSentences() {}

  static String refusal(Command command, Errno errno) {
    return switch (command) {
      case ADD_DEV ->
          switch (errno) {
            case EPERM ->
                "the kernel does not let this process make block devices; run the daemon as root"
                    + " (CAP_SYS_ADMIN), or serve the device over NBD";
            case EEXIST ->
                "its number is taken by another block device of the ublk driver; give it another,"
                    + " or remove that one";
            // EACCES: older drivers count every device against their limit (64), root's too.
            case EACCES, ENOSPC, ENFILE ->
                "the ublk driver has as many devices as it allows; remove one, or raise its"
                    + " parameter ublks_max";
            case ENOMEM ->
                "the kernel has no memory for a device with so many queues; ask for fewer or"
                    + " shallower ones";
            default -> plain("add the device", errno);
          };
      case GET_FEATURES -> plain("say what it can do", errno);
      case GET_DEV_INFO -> plain("tell of the device that was left", errno);
      case SET_PARAMS -> plain("take the device's limits", errno);
      case GET_PARAMS -> plain("tell the limits of the device that was left", errno);
      case START_DEV -> plain("start the device", errno);
      case START_USER_RECOVERY ->
          errno == Errno.EOPNOTSUPP || errno == Errno.EINVAL
              ? "the device that was left was not made to be taken back; remove it"
              : plain("give the device back", errno);
      case END_USER_RECOVERY -> plain("resume the device", errno);
      case QUIESCE_DEV -> plain("pause the device", errno);
      case STOP_DEV, TRY_STOP_DEV -> plain("stop the device", errno);
      case DEL_DEV, DEL_DEV_ASYNC -> plain("remove the device", errno);
    };
  }

  private static String plain(String doing, Errno errno) {
    return "the ublk driver did not "
        + doing
        + ": "
        + errno.meaning()
        + " ("
        + errno
        + "); the kernel's log may say more";
  }
}

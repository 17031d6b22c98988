package io.spared.ffi.ublk;

/**
 * One command to /dev/ublk-control: its code in both encodings, and the 32 bytes of struct
 * ublksrv_ctrl_cmd as four little-endian words.
 */
enum ControlCommand {
  GET_QUEUE_AFFINITY(UblkProtocol.UBLK_CMD_GET_QUEUE_AFFINITY, true),
  GET_DEV_INFO(UblkProtocol.UBLK_CMD_GET_DEV_INFO, true),
  ADD_DEV(UblkProtocol.UBLK_CMD_ADD_DEV, false),
  DEL_DEV(UblkProtocol.UBLK_CMD_DEL_DEV, false),
  START_DEV(UblkProtocol.UBLK_CMD_START_DEV, false),
  STOP_DEV(UblkProtocol.UBLK_CMD_STOP_DEV, false),
  SET_PARAMS(UblkProtocol.UBLK_CMD_SET_PARAMS, false),
  GET_PARAMS(UblkProtocol.UBLK_CMD_GET_PARAMS, true),
  START_USER_RECOVERY(UblkProtocol.UBLK_CMD_START_USER_RECOVERY, false),
  END_USER_RECOVERY(UblkProtocol.UBLK_CMD_END_USER_RECOVERY, false),
  GET_DEV_INFO2(UblkProtocol.UBLK_CMD_GET_DEV_INFO2, true),
  GET_FEATURES(UblkProtocol.UBLK_U_CMD_GET_FEATURES, true),
  DEL_DEV_ASYNC(UblkProtocol.UBLK_U_CMD_DEL_DEV_ASYNC, true),
  UPDATE_SIZE(UblkProtocol.UBLK_U_CMD_UPDATE_SIZE, false),
  QUIESCE_DEV(UblkProtocol.UBLK_U_CMD_QUIESCE_DEV, false),
  TRY_STOP_DEV(UblkProtocol.UBLK_U_CMD_TRY_STOP_DEV, false);

  /** No queue is meant. */
  static final int NO_QUEUE = 0xFFFF;

  private final int number;
  private final boolean readOnly;

  ControlCommand(int number, boolean readOnly) {
    this.number = number;
    this.readOnly = readOnly;
  }

  /** The code that kernels from 6.4 on take, and that newer ones may insist on. */
  int encoded() {
    return (readOnly ? UblkProtocol.ENCODED_CONTROL_READ : UblkProtocol.ENCODED_CONTROL_READ_WRITE)
        | number;
  }

  /** The code that kernels before 6.4 take. */
  int plain() {
    return number;
  }

  /** Whether kernels that know only the plain code can know the command at all. */
  boolean hasPlainCode() {
    return number <= UblkProtocol.UBLK_CMD_GET_DEV_INFO2;
  }

  /** dev_id u32 @0, queue_id u16 @4, len u16 @6. */
  static long firstWord(int device, int queue, int lengthBytes) {
    return (device & 0xFFFF_FFFFL)
        | ((long) (queue & 0xFFFF) << 32)
        | ((long) (lengthBytes & 0xFFFF) << 48);
  }

  /** dev_path_len u16 @24: paths are for unprivileged devices, which spared does not make. */
  static final long FOURTH_WORD = 0;
}

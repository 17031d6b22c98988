package io.spared.ffi.ublk;

/** Numbers of the ublk interface, named as the kernel's header names them. */
final class UblkProtocol {
  private UblkProtocol() {}

  static final int UBLK_CMD_GET_QUEUE_AFFINITY = 0x01;
  static final int UBLK_CMD_GET_DEV_INFO = 0x02;
  static final int UBLK_CMD_ADD_DEV = 0x04;
  static final int UBLK_CMD_DEL_DEV = 0x05;
  static final int UBLK_CMD_START_DEV = 0x06;
  static final int UBLK_CMD_STOP_DEV = 0x07;
  static final int UBLK_CMD_SET_PARAMS = 0x08;
  static final int UBLK_CMD_GET_PARAMS = 0x09;
  static final int UBLK_CMD_START_USER_RECOVERY = 0x10;
  static final int UBLK_CMD_END_USER_RECOVERY = 0x11;
  static final int UBLK_CMD_GET_DEV_INFO2 = 0x12;
  static final int UBLK_U_CMD_GET_FEATURES = 0x13;
  static final int UBLK_U_CMD_DEL_DEV_ASYNC = 0x14;
  static final int UBLK_U_CMD_UPDATE_SIZE = 0x15;
  static final int UBLK_U_CMD_QUIESCE_DEV = 0x16;
  static final int UBLK_U_CMD_TRY_STOP_DEV = 0x17;

  static final int UBLK_IO_FETCH_REQ = 0x20;
  static final int UBLK_IO_COMMIT_AND_FETCH_REQ = 0x21;
  static final int UBLK_IO_NEED_GET_DATA = 0x22;
  static final int UBLK_IO_REGISTER_IO_BUF = 0x23;
  static final int UBLK_IO_UNREGISTER_IO_BUF = 0x24;

  /** _IOR('u', nr, struct ublksrv_ctrl_cmd), 32 bytes. */
  static final int ENCODED_CONTROL_READ = 0x8020_7500;

  /** _IOWR('u', nr, struct ublksrv_ctrl_cmd), 32 bytes. */
  static final int ENCODED_CONTROL_READ_WRITE = 0xc020_7500;

  /** _IOWR('u', nr, struct ublksrv_io_cmd), 16 bytes. */
  static final int ENCODED_IO = 0xc010_7500;

  static final int UBLK_IO_RES_OK = 0;
  static final int UBLK_IO_RES_NEED_GET_DATA = 1;

  static final int UBLK_IO_OP_READ = 0;
  static final int UBLK_IO_OP_WRITE = 1;
  static final int UBLK_IO_OP_FLUSH = 2;
  static final int UBLK_IO_OP_DISCARD = 3;
  static final int UBLK_IO_OP_WRITE_ZEROES = 5;
  static final int UBLK_IO_F_FUA = 1 << 13;
  static final int UBLK_IO_F_NOUNMAP = 1 << 15;

  static final int UBLK_PARAM_TYPE_BASIC = 1;
  static final int UBLK_PARAM_TYPE_DISCARD = 2;
  static final int UBLK_ATTR_READ_ONLY = 1;
  static final int UBLK_ATTR_ROTATIONAL = 2;
  static final int UBLK_ATTR_VOLATILE_CACHE = 4;
  static final int UBLK_ATTR_FUA = 8;

  /** Tags of one queue in the descriptors' area, whatever depth the device has. */
  static final int UBLK_MAX_QUEUE_DEPTH = 4096;

  static final int UBLK_MAX_NR_QUEUES = 4096;

  /** struct ublksrv_io_desc. */
  static final int DESCRIPTOR_BYTES = 24;

  static final int DEVICE_INFO_BYTES = 64;
  static final int PARAMETERS_BYTES = 152;

  /** User copy: where the requests' data begin in the character device. */
  static final long UBLKSRV_IO_BUF_OFFSET = 0x8000_0000L;

  static final int UBLK_IO_BUF_BITS = 25;
  static final int UBLK_TAG_OFF = 25;
  static final int UBLK_QID_OFF = 41;

  static final int SECTOR_SHIFT = 9;
}

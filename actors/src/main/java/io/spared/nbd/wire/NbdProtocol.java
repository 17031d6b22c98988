package io.spared.nbd.wire;

/** The protocol's numbers, named as its specification names them. All integers are big-endian. */
public final class NbdProtocol {
  private NbdProtocol() {}

  /** The port that IANA gave to NBD. */
  public static final int PORT = 10809;

  public static final long NBDMAGIC = 0x4e42444d41474943L;
  public static final long IHAVEOPT = 0x49484156454F5054L;
  public static final long REPLY_MAGIC = 0x0003e889045565a9L;

  public static final int FLAG_FIXED_NEWSTYLE = 1;
  public static final int FLAG_NO_ZEROES = 2;

  public static final int OPT_EXPORT_NAME = 1;
  public static final int OPT_ABORT = 2;
  public static final int OPT_LIST = 3;
  public static final int OPT_STARTTLS = 5;
  public static final int OPT_INFO = 6;
  public static final int OPT_GO = 7;
  public static final int OPT_STRUCTURED_REPLY = 8;
  public static final int OPT_LIST_META_CONTEXT = 9;
  public static final int OPT_SET_META_CONTEXT = 10;
  public static final int OPT_EXTENDED_HEADERS = 11;

  public static final int REP_ACK = 1;
  public static final int REP_SERVER = 2;
  public static final int REP_INFO = 3;
  public static final int REP_META_CONTEXT = 4;
  public static final int REP_ERROR_BIT = 0x8000_0000;
  public static final int REP_ERR_UNSUP = REP_ERROR_BIT | 1;
  public static final int REP_ERR_POLICY = REP_ERROR_BIT | 2;
  public static final int REP_ERR_INVALID = REP_ERROR_BIT | 3;
  public static final int REP_ERR_PLATFORM = REP_ERROR_BIT | 4;
  public static final int REP_ERR_TLS_REQD = REP_ERROR_BIT | 5;
  public static final int REP_ERR_UNKNOWN = REP_ERROR_BIT | 6;
  public static final int REP_ERR_SHUTDOWN = REP_ERROR_BIT | 7;
  public static final int REP_ERR_BLOCK_SIZE_REQD = REP_ERROR_BIT | 8;
  public static final int REP_ERR_TOO_BIG = REP_ERROR_BIT | 9;

  public static final int INFO_EXPORT = 0;
  public static final int INFO_NAME = 1;
  public static final int INFO_DESCRIPTION = 2;
  public static final int INFO_BLOCK_SIZE = 3;

  public static final int FLAG_HAS_FLAGS = 1;
  public static final int FLAG_READ_ONLY = 1 << 1;
  public static final int FLAG_SEND_FLUSH = 1 << 2;
  public static final int FLAG_SEND_FUA = 1 << 3;
  public static final int FLAG_ROTATIONAL = 1 << 4;
  public static final int FLAG_SEND_TRIM = 1 << 5;
  public static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
  public static final int FLAG_SEND_DF = 1 << 7;
  public static final int FLAG_CAN_MULTI_CONN = 1 << 8;
  public static final int FLAG_SEND_CACHE = 1 << 10;
  public static final int FLAG_SEND_FAST_ZERO = 1 << 11;

  public static final int REQUEST_MAGIC = 0x25609513;
  public static final int EXTENDED_REQUEST_MAGIC = 0x21e41c71;
  public static final int SIMPLE_REPLY_MAGIC = 0x67446698;
  public static final int STRUCTURED_REPLY_MAGIC = 0x668e33ef;
  public static final int EXTENDED_REPLY_MAGIC = 0x6e8a278c;

  public static final int CMD_READ = 0;
  public static final int CMD_WRITE = 1;
  public static final int CMD_DISC = 2;
  public static final int CMD_FLUSH = 3;
  public static final int CMD_TRIM = 4;
  public static final int CMD_CACHE = 5;
  public static final int CMD_WRITE_ZEROES = 6;
  public static final int CMD_BLOCK_STATUS = 7;

  public static final int CMD_FLAG_FUA = 1;
  public static final int CMD_FLAG_NO_HOLE = 1 << 1;
  public static final int CMD_FLAG_DF = 1 << 2;
  public static final int CMD_FLAG_REQ_ONE = 1 << 3;
  public static final int CMD_FLAG_FAST_ZERO = 1 << 4;
  public static final int CMD_FLAG_PAYLOAD_LEN = 1 << 5;

  public static final int REPLY_FLAG_DONE = 1;
  public static final int REPLY_TYPE_NONE = 0;
  public static final int REPLY_TYPE_OFFSET_DATA = 1;
  public static final int REPLY_TYPE_OFFSET_HOLE = 2;
  public static final int REPLY_TYPE_BLOCK_STATUS = 5;
  public static final int REPLY_TYPE_BLOCK_STATUS_EXT = 6;
  public static final int REPLY_TYPE_ERROR_BIT = 1 << 15;
  public static final int REPLY_TYPE_ERROR = REPLY_TYPE_ERROR_BIT | 1;
  public static final int REPLY_TYPE_ERROR_OFFSET = REPLY_TYPE_ERROR_BIT | 2;

  public static final int REQUEST_BYTES = 28;
  public static final int EXTENDED_REQUEST_BYTES = 32;
  public static final int SIMPLE_REPLY_BYTES = 16;
  public static final int STRUCTURED_REPLY_BYTES = 20;
  public static final int EXTENDED_REPLY_BYTES = 32;

  /** A string of the protocol is at most so long. */
  public static final int STRING_BYTES_MAX = 4096;

  /** What clients may assume of any server: payloads up to 32 MiB. */
  public static final int PAYLOAD_BYTES_MAX = 32 << 20;

  public static final int EPERM = 1;
  public static final int EIO = 5;
  public static final int ENOMEM = 12;
  public static final int EINVAL = 22;
  public static final int ENOSPC = 28;
  public static final int EOVERFLOW = 75;
  public static final int ENOTSUP = 95;
  public static final int ESHUTDOWN = 108;

  public static final String CONTEXT_ALLOCATION = "base:allocation";
  public static final int STATE_HOLE = 1;
  public static final int STATE_ZERO = 2;
}

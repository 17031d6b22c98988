package io.spared.ffi.libc;

/**
 * Numbers of Linux's interface, named as its headers name them; those that differ by processor too.
 */
public final class Abi {
  private Abi() {}

  private static final boolean ARM = "aarch64".equals(System.getProperty("os.arch"));

  public static final int O_RDONLY = 0;
  public static final int O_WRONLY = 1;
  public static final int O_RDWR = 2;
  public static final int O_CREAT = 0x40;
  public static final int O_EXCL = 0x80;
  public static final int O_NONBLOCK = 0x800;
  public static final int O_DIRECT = ARM ? 0x10000 : 0x4000;
  public static final int O_CLOEXEC = 0x80000;

  public static final int F_SETFL = 4;
  public static final int F_GETFL = 3;
  public static final int F_SETFD = 2;
  public static final int F_GETFD = 1;
  public static final int FD_CLOEXEC = 1;
  public static final int F_OFD_GETLK = 36;
  public static final int F_DUPFD_CLOEXEC = 1030;
  public static final int F_OFD_SETLK = 37;
  public static final short F_RDLCK = 0;
  public static final short F_WRLCK = 1;
  public static final short F_UNLCK = 2;

  public static final int AT_FDCWD = -100;
  public static final int AT_EMPTY_PATH = 0x1000;
  public static final int STATX_BASIC_STATS = 0x7ff;
  public static final int STATX_DIOALIGN = 0x2000;
  public static final int S_IFMT = 0xf000;
  public static final int S_IFBLK = 0x6000;
  public static final int S_IFCHR = 0x2000;
  public static final int S_IFREG = 0x8000;
  public static final int S_IFSOCK = 0xc000;

  public static final int PROT_READ = 1;
  public static final int PROT_WRITE = 2;
  public static final int MAP_SHARED = 1;
  public static final int MAP_POPULATE = 0x8000;

  public static final int MCL_CURRENT = 1;
  public static final int MCL_FUTURE = 2;
  public static final int MCL_ONFAULT = 4;

  public static final int PR_SET_IO_FLUSHER = 57;
  public static final int PR_GET_IO_FLUSHER = 58;

  public static final int RWF_DSYNC = 2;

  public static final int FALLOC_FL_KEEP_SIZE = 1;
  public static final int FALLOC_FL_PUNCH_HOLE = 2;
  public static final int FALLOC_FL_NO_HIDE_STALE = 4;
  public static final int FALLOC_FL_ZERO_RANGE = 16;

  public static final int MFD_CLOEXEC = 1;
  public static final int EFD_CLOEXEC = O_CLOEXEC;
  public static final int EFD_NONBLOCK = O_NONBLOCK;

  public static final int EPOLL_CLOEXEC = O_CLOEXEC;
  public static final int EPOLL_CTL_ADD = 1;
  public static final int EPOLL_CTL_DEL = 2;
  public static final int EPOLL_CTL_MOD = 3;
  public static final int EPOLLIN = 1;
  public static final int EPOLLOUT = 4;
  public static final int EPOLLERR = 8;
  public static final int EPOLLHUP = 16;

  /** struct epoll_event is packed on x86-64 only. */
  public static final int EPOLL_EVENT_BYTES = ARM ? 16 : 12;

  public static final int EPOLL_EVENT_DATA = ARM ? 8 : 4;

  public static final int AF_UNIX = 1;
  public static final int AF_INET = 2;
  public static final int AF_INET6 = 10;
  public static final int AF_NETLINK = 16;
  public static final int SOCK_STREAM = 1;
  public static final int SOCK_DGRAM = 2;
  public static final int SOCK_RAW = 3;
  public static final int SOCK_CLOEXEC = O_CLOEXEC;
  public static final int SOCK_NONBLOCK = O_NONBLOCK;
  public static final int SOL_SOCKET = 1;
  public static final int SO_REUSEADDR = 2;
  public static final int SO_TYPE = 3;
  public static final int SO_ERROR = 4;
  public static final int SO_PEERCRED = 17;
  public static final int SO_ACCEPTCONN = 30;
  public static final int SO_RCVBUFFORCE = 33;
  public static final int SO_RCVBUF = 8;
  public static final int IPPROTO_TCP = 6;
  public static final int TCP_NODELAY = 1;
  public static final int IPPROTO_IPV6 = 41;
  public static final int IPV6_V6ONLY = 26;
  public static final int SHUT_RDWR = 2;
  public static final int MSG_NOSIGNAL = 0x4000;
  public static final int MSG_DONTWAIT = 0x40;
  public static final int NETLINK_KOBJECT_UEVENT = 15;

  public static final int SYS_MMAP = ARM ? 222 : 9;
  public static final int SYS_IO_URING_SETUP = 425;
  public static final int SYS_IO_URING_ENTER = 426;
  public static final int SYS_IO_URING_REGISTER = 427;

  public static final long BLKROGET = 0x125e;
  public static final long BLKGETSIZE64 = 0x80081272L;
  public static final long BLKSSZGET = 0x1268;
  public static final long BLKPBSZGET = 0x127b;
  public static final long BLKFLSBUF = 0x1261;
}

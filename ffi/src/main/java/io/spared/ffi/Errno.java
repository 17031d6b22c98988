package io.spared.ffi;

/**
 * Why the system refused something, by name. Numbers stay inside ffi: {@link #of(int)} is for the
 * classes that make native calls, and what has no name here is OTHER.
 */
public enum Errno {
  EPERM(1, "not permitted"),
  ENOENT(2, "no such file or device"),
  EINTR(4, "interrupted"),
  EIO(5, "input/output error"),
  ENXIO(6, "no such device or address"),
  EBADF(9, "bad descriptor"),
  EAGAIN(11, "try again"),
  ENOMEM(12, "out of memory"),
  EACCES(13, "permission denied"),
  EFAULT(14, "bad address"),
  EBUSY(16, "busy"),
  EEXIST(17, "already exists"),
  ENODEV(19, "no such device"),
  ENOTDIR(20, "not a directory"),
  EISDIR(21, "is a directory"),
  EINVAL(22, "invalid argument"),
  ENFILE(23, "too many open files in the system"),
  EMFILE(24, "too many open files"),
  EFBIG(27, "too large"),
  ENOSPC(28, "no space left"),
  ESPIPE(29, "cannot seek"),
  EROFS(30, "read-only"),
  EPIPE(32, "the other side closed"),
  ERANGE(34, "out of range"),
  ENOSYS(38, "not implemented by this kernel"),
  ELOOP(40, "too many links"),
  ENODATA(61, "medium error"),
  ETIME(62, "timed out below"),
  ENOLINK(67, "link severed"),
  EREMOTEIO(121, "remote input/output error"),
  EPROTO(71, "protocol error"),
  EOVERFLOW(75, "value too large"),
  EILSEQ(84, "integrity check failed below"),
  EMSGSIZE(90, "message too long"),
  EOPNOTSUPP(95, "not supported"),
  EADDRINUSE(98, "address in use"),
  EADDRNOTAVAIL(99, "address not available"),
  ECONNABORTED(103, "connection aborted"),
  ECONNRESET(104, "connection reset"),
  ENOBUFS(105, "no buffer space"),
  ESHUTDOWN(108, "shut down"),
  ETIMEDOUT(110, "timed out"),
  ECONNREFUSED(111, "connection refused"),
  EHOSTDOWN(112, "host is down"),
  EHOSTUNREACH(113, "host unreachable"),
  EALREADY(114, "already in progress"),
  EINPROGRESS(115, "in progress"),
  ESTALE(116, "stale"),
  ENOMEDIUM(123, "no medium"),
  ECANCELED(125, "cancelled"),
  EBADE(52, "reservation conflict"),
  OTHER(0, "an error without a name here");

  private final int number;
  private final String meaning;

  Errno(int number, String meaning) {
    this.number = number;
    this.meaning = meaning;
  }

  /** The name for what a native call returned. */
  public static Errno of(int number) {
    return number > 0 && number < ByNumber.NAMES.length ? ByNumber.NAMES[number] : OTHER;
  }

  private static final class ByNumber {
    static final Errno[] NAMES = new Errno[134];

    static {
      java.util.Arrays.fill(NAMES, OTHER);
      for (Errno errno : values()) {
        NAMES[errno.number] = errno;
      }
    }
  }

  /** The kernel's number, for ffi only. */
  public int number() {
    return number;
  }

  /** A few words for people. */
  public String meaning() {
    return meaning;
  }
}

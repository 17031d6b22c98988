package io.spared.disk;

import io.spared.ffi.Errno;

/**
 * What a disk's error means. Only a fault of the medium may ever move a block or mark a sector
 * lost, so whatever could also be the cable, the controller or a missing disk has to be proved
 * first.
 */
public final class ErrorPolicy {
  /** The kinds of trouble. */
  public enum Fault {
    /** These sectors, on a disk that answers: the kernel says so. */
    MEDIA,
    /** The medium or the disk: media, if the disk still proves itself afterwards. */
    TO_BE_PROVED,
    /** The disk, its path or its server: nothing is known of the sectors. */
    TRANSPORT,
    /** Below us somebody gave up waiting. */
    TIMEOUT,
    /** A thin disk has no room. */
    NO_SPACE,
    /** Read-only or reserved by another. */
    PROTECTION,
    /** The disk does not know the operation. */
    UNSUPPORTED
  }

  private ErrorPolicy() {}

  public static Fault faultOf(Errno errno) {
    return switch (errno) {
      case ENODATA, EILSEQ -> Fault.MEDIA;
      case EIO -> Fault.TO_BE_PROVED;
      case ETIMEDOUT, ETIME -> Fault.TIMEOUT;
      case ENOSPC -> Fault.NO_SPACE;
      case EROFS, EPERM, EACCES, EBADE -> Fault.PROTECTION;
      case EOPNOTSUPP, ENOSYS -> Fault.UNSUPPORTED;
      default -> Fault.TRANSPORT;
    };
  }

  /** Whether the system says that there is no disk any more. */
  public static boolean isGone(Errno errno) {
    return errno == Errno.ENXIO || errno == Errno.ENODEV || errno == Errno.ENOMEDIUM;
  }

  /** What the client of the device is told. */
  public static Errno told(Errno errno) {
    return switch (faultOf(errno)) {
      case MEDIA, TO_BE_PROVED, TRANSPORT -> Errno.EIO;
      case TIMEOUT -> Errno.ETIMEDOUT;
      case NO_SPACE -> Errno.ENOSPC;
      case PROTECTION -> errno == Errno.EROFS ? Errno.EROFS : Errno.EPERM;
      case UNSUPPORTED -> Errno.EOPNOTSUPP;
    };
  }
}

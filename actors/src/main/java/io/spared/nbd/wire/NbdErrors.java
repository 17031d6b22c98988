package io.spared.nbd.wire;

import io.spared.ffi.Errno;

/** The few errors that the protocol knows, and what each of ours becomes. */
public final class NbdErrors {
  private NbdErrors() {}

  /** What a client is told: anything about the medium or the way to it is EIO. */
  public static int of(Errno errno) {
    return switch (errno) {
      case EPERM, EACCES, EROFS -> NbdProtocol.EPERM;
      case ENOMEM, ENOBUFS -> NbdProtocol.ENOMEM;
      case EINVAL -> NbdProtocol.EINVAL;
      case ENOSPC, EFBIG -> NbdProtocol.ENOSPC;
      case EOVERFLOW -> NbdProtocol.EOVERFLOW;
      case EOPNOTSUPP, ENOSYS -> NbdProtocol.ENOTSUP;
      case ESHUTDOWN -> NbdProtocol.ESHUTDOWN;
      default -> NbdProtocol.EIO;
    };
  }

  /** What a remote server's error means to us. */
  public static Errno errno(int error) {
    return switch (error) {
      case NbdProtocol.EPERM -> Errno.EPERM;
      case NbdProtocol.ENOMEM -> Errno.ENOMEM;
      case NbdProtocol.EINVAL -> Errno.EINVAL;
      case NbdProtocol.ENOSPC -> Errno.ENOSPC;
      case NbdProtocol.EOVERFLOW -> Errno.EOVERFLOW;
      case NbdProtocol.ENOTSUP -> Errno.EOPNOTSUPP;
      case NbdProtocol.ESHUTDOWN -> Errno.ESHUTDOWN;
      default -> Errno.EIO;
    };
  }
}

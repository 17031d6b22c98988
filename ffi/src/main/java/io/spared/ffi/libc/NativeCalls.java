package io.spared.ffi.libc;

import jnr.ffi.annotations.In;

/**
 * The functions of the C library as they are, with addresses as numbers. Public only because
 * jnr-ffi cannot bind another kind; use {@link Libc}, which proves first that calls work.
 */
public interface NativeCalls {
  int open(@In String path, int flags, int mode);

  int close(int descriptor);

  long read(int descriptor, long address, long bytes);

  long write(int descriptor, long address, long bytes);

  long pread(int descriptor, long address, long bytes, long offset);

  long pwrite(int descriptor, long address, long bytes, long offset);

  long pwritev2(int descriptor, long vectors, int count, long offset, int flags);

  int fdatasync(int descriptor);

  int fallocate(int descriptor, int mode, long offset, long bytes);

  int fchmod(int descriptor, int mode);

  int ftruncate(int descriptor, long bytes);

  int ioctl(int descriptor, long request, long argument);

  int fcntl(int descriptor, int command, long argument);

  int statx(int directory, @In String path, int flags, int mask, long address);

  long mmap(long address, long bytes, int protection, int flags, int descriptor, long offset);

  int munmap(long address, long bytes);

  int mlockall(int flags);

  int prctl(int option, long second, long third, long fourth, long fifth);

  int memfd_create(@In String name, int flags);

  int eventfd(int initial, int flags);

  int epoll_create1(int flags);

  int epoll_ctl(int epoll, int operation, int descriptor, long event);

  int epoll_wait(int epoll, long events, int maximum, int timeoutMillis);

  int socket(int domain, int type, int protocol);

  int bind(int descriptor, long address, int bytes);

  int listen(int descriptor, int backlog);

  int accept4(int descriptor, long address, long length, int flags);

  int connect(int descriptor, long address, int bytes);

  int shutdown(int descriptor, int how);

  int getsockname(int descriptor, long address, long length);

  int getpeername(int descriptor, long address, long length);

  int getsockopt(int descriptor, int level, int option, long value, long length);

  int setsockopt(int descriptor, int level, int option, long value, int length);

  long recv(int descriptor, long address, long bytes, int flags);

  long recvfrom(int descriptor, long address, long bytes, int flags, long peer, long peerLength);

  long send(int descriptor, long address, long bytes, int flags);

  long sendto(int descriptor, long address, long bytes, int flags, long peer, int peerBytes);

  /** Five arguments are enough for most; the sixth is whatever the stack holds. */
  long syscall(long number, long first, long second, long third, long fourth, long fifth);

  /** All six, on jnr's generic and slower path. */
  long syscall(
      long number, long first, long second, long third, long fourth, long fifth, long sixth);
}

package io.spared.ffi.libc;

import io.spared.ffi.Errno;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.ffi.LastError;
import jnr.ffi.Runtime;

/**
 * The C library with typed results. Loading this class loads the library and runs the self-test, so
 * nothing native can be called in a JVM where calls cannot be trusted.
 *
 * <p>Two kinds of results: calls made rarely throw a {@link NativeException}; calls made per I/O
 * give the value, or the errno negated.
 */
public final class Libc {
  private static final NativeCalls CALLS;
  private static final Runtime RUNTIME;

  static {
    NativeCalls calls = NativeLibrary.load();
    SelfTest.prove(calls);
    CALLS = calls;
    RUNTIME = Runtime.getRuntime(calls);
  }

  private Libc() {}

  /** Runs the self-test again; see {@link io.spared.ffi.NativeAccess#prove}. */
  public static void prove() {
    SelfTest.prove(CALLS);
  }

  private static int lastError() {
    return LastError.getLastError(RUNTIME);
  }

  private static NativeException failed(String doing) {
    return new NativeException(doing, Errno.of(lastError()));
  }

  private static long orNegatedErrno(long result) {
    return result >= 0 ? result : -lastError();
  }

  /** The kernel's release, such as 6.18.0. */
  public static String kernelRelease() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/osrelease"), StandardCharsets.US_ASCII)
          .strip();
    } catch (IOException e) {
      return "unknown";
    }
  }

  // Files. Numbers of descriptors stay inside Descriptor and the engines.

  static int open(String path, int flags, int mode) throws NativeException {
    int number;
    do {
      number = CALLS.open(path, flags | Abi.O_CLOEXEC, mode);
    } while (number < 0 && lastError() == Errno.EINTR.number());
    if (number < 0) {
      throw failed("open " + path);
    }
    return number;
  }

  /** Linux closes the descriptor whatever it answers; EINTR and EIO must not close it again. */
  static void close(int number) {
    CALLS.close(number);
  }

  public static long read(Descriptor from, long address, long bytes) {
    return orNegatedErrno(CALLS.read(from.number(), address, bytes));
  }

  public static long write(Descriptor to, long address, long bytes) {
    return orNegatedErrno(CALLS.write(to.number(), address, bytes));
  }

  public static long pread(Descriptor from, long address, long bytes, long offsetBytes) {
    return orNegatedErrno(CALLS.pread(from.number(), address, bytes, offsetBytes));
  }

  public static long pwrite(Descriptor to, long address, long bytes, long offsetBytes) {
    return orNegatedErrno(CALLS.pwrite(to.number(), address, bytes, offsetBytes));
  }

  /** The vector is one struct iovec: address and length. */
  public static long pwriteDurably(Descriptor to, long vectorAddress, long offsetBytes) {
    return orNegatedErrno(
        CALLS.pwritev2(to.number(), vectorAddress, 1, offsetBytes, Abi.RWF_DSYNC));
  }

  public static long fdatasync(Descriptor descriptor) {
    return orNegatedErrno(CALLS.fdatasync(descriptor.number()));
  }

  public static long fallocate(Descriptor descriptor, int mode, long offsetBytes, long bytes) {
    return orNegatedErrno(CALLS.fallocate(descriptor.number(), mode, offsetBytes, bytes));
  }

  public static void truncate(Descriptor descriptor, long bytes) throws NativeException {
    if (CALLS.ftruncate(descriptor.number(), bytes) < 0) {
      throw failed("set the size of " + descriptor);
    }
  }

  public static void changeMode(Descriptor descriptor, int mode) throws NativeException {
    if (CALLS.fchmod(descriptor.number(), mode) < 0) {
      throw failed("set the mode of " + descriptor);
    }
  }

  /** An ioctl whose argument is an address or a number; the value, or the errno negated. */
  public static long ioctl(Descriptor descriptor, long request, long argument) {
    return orNegatedErrno(CALLS.ioctl(descriptor.number(), request, argument));
  }

  public static long fcntl(Descriptor descriptor, int command, long argument) {
    return orNegatedErrno(CALLS.fcntl(descriptor.number(), command, argument));
  }

  /** struct statx of an open file. */
  public static ByteBuffer statx(Descriptor descriptor) throws NativeException {
    ByteBuffer statx = Memory.structure(256);
    int result =
        CALLS.statx(
            descriptor.number(),
            "",
            Abi.AT_EMPTY_PATH,
            Abi.STATX_BASIC_STATS | Abi.STATX_DIOALIGN,
            Memory.address(statx));
    if (result < 0) {
      throw failed("stat " + descriptor);
    }
    return statx;
  }

  // Memory.

  /** Maps part of a file, shared. The address; {@link #unmap} ends it. */
  public static long map(
      Descriptor file, long offsetBytes, long bytes, int protection, int moreFlags)
      throws NativeException {
    long address =
        CALLS.mmap(0, bytes, protection, Abi.MAP_SHARED | moreFlags, file.number(), offsetBytes);
    if (address == -1) {
      throw failed("map " + bytes + " bytes of " + file);
    }
    return address;
  }

  public static void unmap(long address, long bytes) {
    if (CALLS.munmap(address, bytes) < 0) {
      throw new IllegalStateException("munmap of what was not mapped");
    }
  }

  public static void lockMemory(int flags) throws NativeException {
    if (CALLS.mlockall(flags) < 0) {
      throw failed("lock the memory of this process");
    }
  }

  /** prctl with one argument; the value, or the errno negated. */
  public static long prctl(int option, long argument) {
    return prctl(option, argument, 0);
  }

  public static long prctl(int option, long first, long second) {
    return orNegatedErrno(CALLS.prctl(option, first, second, 0, 0));
  }

  // Waiting.

  public static Descriptor memoryFile(String name) throws NativeException {
    int number = CALLS.memfd_create(name, Abi.MFD_CLOEXEC);
    if (number < 0) {
      throw failed("make an anonymous file");
    }
    return Descriptor.owning(number, "anonymous file " + name);
  }

  public static Descriptor eventCounter(boolean blocking) throws NativeException {
    int number = CALLS.eventfd(0, Abi.EFD_CLOEXEC | (blocking ? 0 : Abi.EFD_NONBLOCK));
    if (number < 0) {
      throw failed("make an eventfd");
    }
    return Descriptor.owning(number, "eventfd");
  }

  public static Descriptor epoll() throws NativeException {
    int number = CALLS.epoll_create1(Abi.EPOLL_CLOEXEC);
    if (number < 0) {
      throw failed("make an epoll");
    }
    return Descriptor.owning(number, "epoll");
  }

  public static long epollControl(
      Descriptor epoll, int operation, Descriptor watched, long eventAddress) {
    return orNegatedErrno(
        CALLS.epoll_ctl(epoll.number(), operation, watched.number(), eventAddress));
  }

  public static long epollWait(
      Descriptor epoll, long eventsAddress, int maximum, int timeoutMillis) {
    return orNegatedErrno(CALLS.epoll_wait(epoll.number(), eventsAddress, maximum, timeoutMillis));
  }

  // Sockets.

  public static Descriptor socket(int domain, int type, int protocol, String name)
      throws NativeException {
    int number = CALLS.socket(domain, type | Abi.SOCK_CLOEXEC, protocol);
    if (number < 0) {
      throw failed("make a socket for " + name);
    }
    return Descriptor.owning(number, name);
  }

  public static void bind(Descriptor socket, long address, int bytes) throws NativeException {
    if (CALLS.bind(socket.number(), address, bytes) < 0) {
      throw failed("bind to " + socket);
    }
  }

  public static void listen(Descriptor socket, int backlog) throws NativeException {
    if (CALLS.listen(socket.number(), backlog) < 0) {
      throw failed("listen on " + socket);
    }
  }

  public static long connect(Descriptor socket, long address, int bytes) {
    return orNegatedErrno(CALLS.connect(socket.number(), address, bytes));
  }

  /** The number of the accepted socket, or the errno negated. */
  public static long accept(Descriptor socket) {
    return orNegatedErrno(
        CALLS.accept4(socket.number(), 0, 0, Abi.SOCK_CLOEXEC | Abi.SOCK_NONBLOCK));
  }

  public static long shutdown(Descriptor socket) {
    return orNegatedErrno(CALLS.shutdown(socket.number(), Abi.SHUT_RDWR));
  }

  public static long socketName(Descriptor socket, long address, long lengthAddress) {
    return orNegatedErrno(CALLS.getsockname(socket.number(), address, lengthAddress));
  }

  public static long peerName(Descriptor socket, long address, long lengthAddress) {
    return orNegatedErrno(CALLS.getpeername(socket.number(), address, lengthAddress));
  }

  /** An int option of a socket, or the errno negated. */
  public static long socketOption(Descriptor socket, int level, int option) {
    ByteBuffer memory = Memory.structure(8).putInt(0, 0).putInt(4, 4);
    try {
      long address = Memory.address(memory);
      long result =
          orNegatedErrno(CALLS.getsockopt(socket.number(), level, option, address, address + 4));
      return result < 0 ? result : memory.getInt(0);
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  public static long setSocketOption(Descriptor socket, int level, int option, int value) {
    ByteBuffer memory = Memory.structure(4).putInt(0, value);
    try {
      return orNegatedErrno(
          CALLS.setsockopt(socket.number(), level, option, Memory.address(memory), 4));
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  public static long receive(Descriptor socket, long address, long bytes) {
    return orNegatedErrno(CALLS.recv(socket.number(), address, bytes, Abi.MSG_DONTWAIT));
  }

  public static long receiveFrom(
      Descriptor socket, long address, long bytes, long peerAddress, long peerLengthAddress) {
    return orNegatedErrno(
        CALLS.recvfrom(socket.number(), address, bytes, 0, peerAddress, peerLengthAddress));
  }

  public static long send(Descriptor socket, long address, long bytes) {
    return orNegatedErrno(
        CALLS.send(socket.number(), address, bytes, Abi.MSG_DONTWAIT | Abi.MSG_NOSIGNAL));
  }

  public static long sendTo(
      Descriptor socket, long address, long bytes, long peerAddress, int peerBytes) {
    return orNegatedErrno(
        CALLS.sendto(socket.number(), address, bytes, Abi.MSG_NOSIGNAL, peerAddress, peerBytes));
  }

  // io_uring.

  public static long ringSetup(int entries, long parametersAddress) {
    return orNegatedErrno(
        CALLS.syscall(Abi.SYS_IO_URING_SETUP, entries, parametersAddress, 0, 0, 0));
  }

  /** Without a signal mask or timeout, so that its sixth argument does not count. */
  public static long ringEnter(int ring, int submit, int wait, int flags) {
    long result = CALLS.syscall(Abi.SYS_IO_URING_ENTER, ring, submit, wait, flags, 0);
    return result >= 0 ? result : -lastError();
  }

  /** With IORING_ENTER_EXT_ARG: the argument is a struct io_uring_getevents_arg of 24 bytes. */
  public static long ringEnterTimed(
      int ring, int submit, int wait, int flags, long argumentAddress) {
    return orNegatedErrno(
        CALLS.syscall(Abi.SYS_IO_URING_ENTER, ring, submit, wait, flags, argumentAddress, 24));
  }

  public static long ringRegister(Descriptor ring, int operation, long argumentAddress, int count) {
    return orNegatedErrno(
        CALLS.syscall(
            Abi.SYS_IO_URING_REGISTER, ring.number(), operation, argumentAddress, count, 0));
  }
}

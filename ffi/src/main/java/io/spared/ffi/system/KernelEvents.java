package io.spared.ffi.system;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;

/**
 * Events of the kernel about devices that come, go and change (netlink's kobject uevents). Read by
 * one thread. Only what the kernel itself sent counts: a message of another process is dropped.
 */
public final class KernelEvents implements AutoCloseable {
  private static final int MESSAGE_MAX = 64 << 10;
  private static final int RECEIVE_BUFFER = 4 << 20;
  private static final int KERNEL_GROUP = 1;
  private static final int ADDRESS_BYTES = 12;

  private final Descriptor socket;
  private final Descriptor epoll;
  private final ByteBuffer memory = Memory.structure(MESSAGE_MAX + 64);
  private final long address = Memory.address(memory);
  private boolean overflowed;

  private KernelEvents(Descriptor socket, Descriptor epoll) {
    this.socket = socket;
    this.epoll = epoll;
  }

  /** Begins to listen. */
  public static KernelEvents open() throws IOException {
    Descriptor socket =
        Libc.socket(
            Abi.AF_NETLINK,
            Abi.SOCK_RAW | Abi.SOCK_NONBLOCK,
            Abi.NETLINK_KOBJECT_UEVENT,
            "kernel events");
    Descriptor epoll = null;
    ByteBuffer structure = Memory.structure(16);
    try {
      // A plug of many disks brings many events at once; without the privilege the usual size does.
      Libc.setSocketOption(socket, Abi.SOL_SOCKET, Abi.SO_RCVBUFFORCE, RECEIVE_BUFFER);
      structure.putShort(0, (short) Abi.AF_NETLINK).putInt(8, KERNEL_GROUP);
      Libc.bind(socket, Memory.address(structure), ADDRESS_BYTES);
      epoll = Libc.epoll();
      structure.putInt(0, Abi.EPOLLIN);
      long result = Libc.epollControl(epoll, Abi.EPOLL_CTL_ADD, socket, Memory.address(structure));
      if (result < 0) {
        throw new NativeException("watch " + socket, Errno.of((int) -result));
      }
      return new KernelEvents(socket, epoll);
    } catch (IOException | RuntimeException e) {
      socket.close();
      if (epoll != null) {
        epoll.close();
      }
      throw e;
    } finally {
      Reference.reachabilityFence(structure);
    }
  }

  /**
   * The next event, or nothing when none came within this time (or when what came was not the
   * kernel's).
   */
  public Optional<KernelEvent> next(Duration timeout) throws IOException {
    long ready =
        Libc.epollWait(
            epoll,
            address + MESSAGE_MAX + 32,
            1,
            (int) Math.min(Integer.MAX_VALUE, timeout.toMillis()));
    if (ready < 0 && Errno.of((int) -ready) != Errno.EINTR) {
      throw new NativeException("wait for " + socket, Errno.of((int) -ready));
    }
    if (ready <= 0) {
      return Optional.empty();
    }
    long peer = address + MESSAGE_MAX;
    memory.putInt(MESSAGE_MAX + 16, ADDRESS_BYTES);
    long bytes = Libc.receiveFrom(socket, address, MESSAGE_MAX, peer, peer + 16);
    if (bytes < 0) {
      Errno errno = Errno.of((int) -bytes);
      if (errno == Errno.ENOBUFS) {
        overflowed = true;
        return Optional.empty();
      }
      if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
        return Optional.empty();
      }
      throw new NativeException("receive " + socket, errno);
    }
    if (memory.getInt(MESSAGE_MAX + 4) != 0) {
      return Optional.empty();
    }
    byte[] message = new byte[(int) bytes];
    memory.get(0, message);
    return KernelEvent.parse(message);
  }

  /** Whether events were lost since this was asked last: everything must be looked at anew. */
  public boolean overflowed() {
    boolean was = overflowed;
    overflowed = false;
    return was;
  }

  @Override
  public void close() {
    epoll.close();
    socket.close();
  }
}

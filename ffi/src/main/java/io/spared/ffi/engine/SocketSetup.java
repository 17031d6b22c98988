package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;

/** What is done to sockets once, the same for every engine: making, binding, naming. */
final class SocketSetup {
  private static final int LISTEN_FDS_START = 3;

  private SocketSetup() {}

  static Descriptor listening(SocketAddress address, int backlog, int unixMode) throws IOException {
    ByteBuffer encoded = SocketAddresses.encode(address);
    Descriptor socket =
        Libc.socket(SocketAddresses.family(address), Abi.SOCK_STREAM, 0, address.toString());
    try {
      if (address instanceof UnixDomainSocketAddress unix) {
        removeStale(unix.getPath(), encoded);
        // The mode of the socket becomes that of its file, so there is no moment with a wider one.
        Libc.changeMode(socket, unixMode);
        bind(socket, encoded);
        Files.setPosixFilePermissions(unix.getPath(), permissions(unixMode));
      } else {
        Libc.setSocketOption(socket, Abi.SOL_SOCKET, Abi.SO_REUSEADDR, 1);
        if (SocketAddresses.family(address) == Abi.AF_INET6) {
          Libc.setSocketOption(socket, Abi.IPPROTO_IPV6, Abi.IPV6_V6ONLY, 1);
        }
        bind(socket, encoded);
      }
      Libc.listen(socket, backlog);
      return socket;
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  private static void bind(Descriptor socket, ByteBuffer encoded) throws NativeException {
    try {
      Libc.bind(socket, Memory.address(encoded), encoded.remaining());
    } finally {
      Reference.reachabilityFence(encoded);
    }
  }

  /** Removes the file of a socket that nobody listens on any more. */
  private static void removeStale(Path path, ByteBuffer encoded) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Object mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    if (!(mode instanceof Integer bits) || (bits & Abi.S_IFMT) != Abi.S_IFSOCK) {
      throw new IOException(path + " is there and is not a socket; remove it or choose another");
    }
    try (Descriptor probe =
        Libc.socket(Abi.AF_UNIX, Abi.SOCK_STREAM | Abi.SOCK_NONBLOCK, 0, path.toString())) {
      long result;
      try {
        result = Libc.connect(probe, Memory.address(encoded), encoded.remaining());
      } finally {
        Reference.reachabilityFence(encoded);
      }
      if (result >= 0 || Errno.of((int) -result) == Errno.EAGAIN) {
        throw new NativeException("listen on " + path, Errno.EADDRINUSE);
      }
    }
    Files.deleteIfExists(path);
  }

  private static Set<PosixFilePermission> permissions(int mode) {
    Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
    PosixFilePermission[] fromHighest = PosixFilePermission.values();
    for (int bit = 0; bit < 9; bit++) {
      if ((mode & (0400 >> bit)) != 0) {
        permissions.add(fromHighest[bit]);
      }
    }
    return permissions;
  }

  /** A listening socket that the service manager passed on, by LISTEN_FDS. */
  static Descriptor inherited(int position) throws IOException {
    int count = InheritedSockets.count();
    if (position < 0 || position >= count) {
      throw new IOException(
          "socket "
              + position
              + " of socket activation is asked for, but "
              + count
              + " were passed on; check the .socket unit");
    }
    Descriptor socket =
        InheritedSockets.take(LISTEN_FDS_START + position, "inherited socket " + position);
    try {
      Libc.fcntl(socket, Abi.F_SETFD, Abi.FD_CLOEXEC);
      if (Libc.socketOption(socket, Abi.SOL_SOCKET, Abi.SO_ACCEPTCONN) != 1) {
        throw new IOException(
            "socket " + position + " of socket activation does not listen; check the .socket unit");
      }
      return socket;
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  static Descriptor connecting(SocketAddress address) throws NativeException {
    return Libc.socket(SocketAddresses.family(address), Abi.SOCK_STREAM, 0, address.toString());
  }

  /**
   * A ring waits by itself, and answers EAGAIN for sockets that do not block; an epoll needs just
   * those. So whoever serves a socket sets this first.
   */
  static void setBlocking(Descriptor socket, boolean blocking) {
    long flags = Libc.fcntl(socket, Abi.F_GETFL, 0);
    long wanted = blocking ? flags & ~Abi.O_NONBLOCK : flags | Abi.O_NONBLOCK;
    if (flags >= 0 && wanted != flags) {
      Libc.fcntl(socket, Abi.F_SETFL, wanted);
    }
  }

  /** Small answers are not held back; for Unix sockets this says no and does not matter. */
  static void tune(Descriptor connected) {
    Libc.setSocketOption(connected, Abi.IPPROTO_TCP, Abi.TCP_NODELAY, 1);
  }

  static SocketAddress localAddress(Descriptor socket) {
    ByteBuffer memory = Memory.structure(SocketAddresses.BYTES_MAX + 4);
    memory.putInt(SocketAddresses.BYTES_MAX, SocketAddresses.BYTES_MAX);
    try {
      long address = Memory.address(memory);
      long result = Libc.socketName(socket, address, address + SocketAddresses.BYTES_MAX);
      return SocketAddresses.decode(
          memory, result < 0 ? 2 : memory.getInt(SocketAddresses.BYTES_MAX));
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  /** Who is at the other end, for people. */
  static String peer(Descriptor socket) {
    ByteBuffer memory = Memory.structure(SocketAddresses.BYTES_MAX + 4);
    memory.putInt(SocketAddresses.BYTES_MAX, SocketAddresses.BYTES_MAX);
    try {
      long address = Memory.address(memory);
      long result = Libc.peerName(socket, address, address + SocketAddresses.BYTES_MAX);
      return result < 0
          ? "unknown"
          : SocketAddresses.describe(memory, memory.getInt(SocketAddresses.BYTES_MAX));
    } finally {
      Reference.reachabilityFence(memory);
    }
  }
}

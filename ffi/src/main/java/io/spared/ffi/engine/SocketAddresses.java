package io.spared.ffi.engine;

import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Memory;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Socket addresses as the system lays them out (struct sockaddr_in, _in6 and _un), both ways. */
final class SocketAddresses {
  static final int BYTES_MAX = 128;
  private static final int UNIX_PATH_MAX = 107;

  private SocketAddresses() {}

  static int family(SocketAddress address) {
    return switch (address) {
      case UnixDomainSocketAddress unix -> Abi.AF_UNIX;
      case InetSocketAddress inet ->
          inet.getAddress() instanceof Inet4Address ? Abi.AF_INET : Abi.AF_INET6;
      default -> throw new IllegalArgumentException("not a TCP or Unix address: " + address);
    };
  }

  /** Direct memory whose remaining bytes are the address. */
  static ByteBuffer encode(SocketAddress address) throws IOException {
    ByteBuffer to = Memory.structure(BYTES_MAX);
    to.putShort((short) family(address));
    switch (address) {
      case UnixDomainSocketAddress unix -> {
        byte[] path = unix.getPath().toString().getBytes(StandardCharsets.UTF_8);
        if (path.length == 0 || path.length > UNIX_PATH_MAX) {
          throw new IOException(
              "the path of a Unix socket has 1 to "
                  + UNIX_PATH_MAX
                  + " bytes; choose a shorter one than "
                  + unix.getPath());
        }
        to.put(path).put((byte) 0);
      }
      case InetSocketAddress inet -> {
        InetAddress host = inet.getAddress();
        if (host == null) {
          throw new UnknownHostException(
              "no address is known for " + inet.getHostString() + "; check the name");
        }
        to.order(ByteOrder.BIG_ENDIAN).putShort((short) inet.getPort());
        if (host instanceof Inet4Address) {
          to.put(host.getAddress()).putLong(0);
        } else {
          to.putInt(0).put(host.getAddress());
          int scope = ((java.net.Inet6Address) host).getScopeId();
          to.order(ByteOrder.nativeOrder()).putInt(scope);
        }
      }
      default -> throw new IllegalArgumentException("not a TCP or Unix address: " + address);
    }
    return to.flip();
  }

  /** For people: host:port, or a path. */
  static String describe(ByteBuffer address, int bytes) {
    if (bytes < 2) {
      return "unknown";
    }
    int family = address.getShort(0);
    if (family == Abi.AF_UNIX) {
      int length = Math.max(0, bytes - 2);
      byte[] path = new byte[length];
      address.get(2, path);
      String text = new String(path, StandardCharsets.UTF_8);
      int end = text.indexOf(0);
      String name = end < 0 ? text : text.substring(0, end);
      return name.isEmpty() ? "unix" : name;
    }
    SocketAddress decoded = decode(address, bytes);
    return decoded instanceof InetSocketAddress inet
        ? (inet.getAddress() instanceof Inet4Address
                ? inet.getAddress().getHostAddress()
                : "[" + inet.getAddress().getHostAddress() + "]")
            + ":"
            + inet.getPort()
        : decoded.toString();
  }

  static SocketAddress decode(ByteBuffer address, int bytes) {
    int family = address.getShort(0);
    try {
      if (family == Abi.AF_INET || family == Abi.AF_INET6) {
        int port = (address.get(2) & 0xff) << 8 | (address.get(3) & 0xff);
        byte[] host = new byte[family == Abi.AF_INET ? 4 : 16];
        address.get(family == Abi.AF_INET ? 4 : 8, host);
        return new InetSocketAddress(InetAddress.getByAddress(host), port);
      }
    } catch (UnknownHostException e) {
      throw new IllegalStateException(e);
    }
    if (family == Abi.AF_UNIX && bytes > 3) {
      return UnixDomainSocketAddress.of(describe(address, bytes));
    }
    return UnixDomainSocketAddress.of("");
  }
}

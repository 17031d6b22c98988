package io.spared.nbd.client;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.world.Clock;
import io.spared.nbd.wire.NbdProtocol;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/**
 * Opens {@code nbd:} addresses and leaves all others to another opener. Opening asks the server
 * once, on a connection of its own, within a deadline; the ports connect again by themselves.
 */
public final class NbdDiskOpener implements DiskOpener {
  /** A server that does not answer by then is treated as missing. */
  private static final Duration OPEN_WITHIN = Duration.ofSeconds(10);

  private final DiskOpener others;
  private final Clock clock;

  public NbdDiskOpener(DiskOpener others, Clock clock) {
    this.others = others;
    this.clock = clock;
  }

  @Override
  public Disk open(DiskAddress address, Mode mode) throws DiskException {
    if (!(address instanceof DiskAddress.OfNbd nbd)) {
      return others.open(address, mode);
    }
    NbdAddress remote;
    try {
      remote = NbdAddress.parse(nbd.uri());
    } catch (IllegalArgumentException e) {
      throw new DiskException(DiskException.Reason.NOT_A_DISK, String.valueOf(e.getMessage()), e);
    }
    RemoteExport export = ask(nbd, remote);
    if (mode == Mode.OWN && export.has(NbdProtocol.FLAG_READ_ONLY)) {
      throw new DiskException(
          DiskException.Reason.READ_ONLY,
          nbd + ": the server exports it read-only; a disk in service must be writable");
    }
    return new NbdDisk(nbd, remote, export);
  }

  private RemoteExport ask(DiskAddress.OfNbd address, NbdAddress remote) throws DiskException {
    SocketAddress server = remote.server();
    if (server instanceof InetSocketAddress inet && inet.isUnresolved()) {
      throw new DiskException(
          DiskException.Reason.MISSING,
          address + ": the host " + inet.getHostString() + " has no address");
    }
    try (SocketChannel channel =
            server instanceof InetSocketAddress
                ? SocketChannel.open()
                : SocketChannel.open(java.net.StandardProtocolFamily.UNIX);
        Selector selector = Selector.open()) {
      channel.configureBlocking(false);
      SelectionKey key = channel.register(selector, 0);
      long endNanos = clock.nanoTime() + OPEN_WITHIN.toNanos();
      try {
        if (!channel.connect(server)) {
          await(selector, key, SelectionKey.OP_CONNECT, endNanos, address);
          channel.finishConnect();
        }
      } catch (IOException e) {
        throw new DiskException(
            DiskException.Reason.MISSING,
            address + ": nobody listens at " + server + " (" + e.getMessage() + ")",
            e);
      }
      return negotiate(channel, selector, key, endNanos, address, remote);
    } catch (IOException e) {
      throw new DiskException(
          DiskException.Reason.IO, address + ": " + server + " failed: " + e.getMessage(), e);
    }
  }

  private RemoteExport negotiate(
      SocketChannel channel,
      Selector selector,
      SelectionKey key,
      long endNanos,
      DiskAddress.OfNbd address,
      NbdAddress remote)
      throws IOException, DiskException {
    ClientNegotiation negotiation = new ClientNegotiation(remote.export());
    ByteBuffer in = ByteBuffer.allocate(ClientNegotiation.INPUT_BYTES_MAX);
    while (true) {
      int read = channel.read(in);
      if (read < 0) {
        throw new DiskException(
            DiskException.Reason.IO, address + ": the server closed the connection");
      }
      in.flip();
      negotiation.advance(in);
      in.compact();
      ByteBuffer out = ByteBuffer.wrap(negotiation.takeOutput());
      while (out.hasRemaining()) {
        if (channel.write(out) == 0) {
          await(selector, key, SelectionKey.OP_WRITE, endNanos, address);
        }
      }
      String failure = negotiation.failure();
      if (failure != null) {
        throw new DiskException(
            DiskException.Reason.MISSING, address + ": the server does not serve it: " + failure);
      }
      RemoteExport agreed = negotiation.agreed();
      if (agreed != null) {
        return agreed;
      }
      if (read == 0) {
        await(selector, key, SelectionKey.OP_READ, endNanos, address);
      }
    }
  }

  private void await(
      Selector selector, SelectionKey key, int operation, long endNanos, DiskAddress address)
      throws IOException, DiskException {
    key.interestOps(operation);
    long leftMillis = Duration.ofNanos(endNanos - clock.nanoTime()).toMillis();
    if (leftMillis <= 0 || selector.select(leftMillis) == 0) {
      throw new DiskException(
          DiskException.Reason.MISSING,
          address + ": the server did not answer within " + OPEN_WITHIN.toSeconds() + " s");
    }
    selector.selectedKeys().clear();
  }
}

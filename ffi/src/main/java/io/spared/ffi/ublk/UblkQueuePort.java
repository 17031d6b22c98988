package io.spared.ffi.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Buffers;
import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.engine.DriverPort;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import org.jspecify.annotations.Nullable;

/**
 * One queue of a ublk device on its engine: fetching, committing and the copying of data. Used on
 * the engine's thread only; allocates nothing per request.
 *
 * <p>A fetch or commit ends when the driver has a request for its tag ({@link IoRequest.Outcome}
 * DONE), or when the tag is over (FAILED; ENODEV when the device stops): it is never sent again
 * then.
 */
public final class UblkQueuePort {
  private final UblkDeviceInfo info;
  private final int queue;
  private final long mappedAddress;
  private final int mappedBytes;
  private final IoDescriptors descriptors;
  private final DriverPort port;
  private final Descriptor file;
  private final boolean userCopy;
  private final boolean pages;
  private boolean closed;

  UblkQueuePort(
      Descriptor file,
      UblkDeviceInfo info,
      int queue,
      long mappedAddress,
      int mappedBytes,
      DriverEngine engine) {
    this.info = info;
    this.queue = queue;
    this.mappedAddress = mappedAddress;
    this.mappedBytes = mappedBytes;
    this.descriptors = new IoDescriptors(Memory.at(mappedAddress, mappedBytes), info.depth());
    this.port = engine.driver(file);
    this.file = file.retain();
    this.userCopy = info.has(UblkFeature.USER_COPY);
    this.pages = info.has(UblkFeature.AUTO_BUF_REG);
  }

  public int depth() {
    return info.depth();
  }

  public IoDescriptors descriptors() {
    if (closed) {
      throw new IllegalStateException("the descriptors were unmapped");
    }
    return descriptors;
  }

  /**
   * Gives a tag to the driver for the first time.
   *
   * @param buffer where the driver puts the data of a write, or with automatic registration of
   *     buffers the pages of a request; null with user copy alone
   */
  public void fetch(int tag, IoRequest request, @Nullable IoBuffer buffer) {
    send(UblkProtocol.UBLK_IO_FETCH_REQ, tag, -1, request, buffer);
  }

  /**
   * Answers a tag's request and gives the tag to the driver again.
   *
   * @param buffer where the driver finds the data of a read, and puts those of the next write
   */
  public void commit(int tag, int result, IoRequest request, @Nullable IoBuffer buffer) {
    send(UblkProtocol.UBLK_IO_COMMIT_AND_FETCH_REQ, tag, result, request, buffer);
  }

  private void send(int number, int tag, int result, IoRequest request, @Nullable IoBuffer buffer) {
    if ((userCopy && !pages) != (buffer == null)) {
      throw new IllegalArgumentException(
          "a buffer is given to the driver exactly when it copies by itself or registers pages");
    }
    request.plain(IoRequest.Operation.COMMAND, 0, 0, Ledger.NEVER);
    port.command(
        request,
        IoCommands.code(number, info.has(UblkFeature.CMD_IOCTL_ENCODE)),
        pages && buffer != null ? IoCommands.automaticRegistration(buffer.index()) : 0,
        IoCommands.firstWord(queue, tag, result),
        pages || buffer == null ? 0 : Buffers.address(buffer));
  }

  /**
   * User copy: brings the data of a write. A copy from memory to memory, so the call is made here
   * and now: on a ring it would be handed to another thread.
   *
   * @return whether all of it was brought
   */
  public boolean copyIn(int tag, IoBuffer buffer, int bytes) {
    return copied(tag, buffer, bytes, false);
  }

  /** User copy: delivers the data of a read. */
  public boolean copyOut(int tag, IoBuffer buffer, int bytes) {
    return copied(tag, buffer, bytes, true);
  }

  private boolean copied(int tag, IoBuffer buffer, int bytes, boolean out) {
    long offsetBytes = IoCommands.userCopyOffset(queue, tag);
    int done = 0;
    while (done < bytes) {
      long address = Buffers.address(buffer) + done;
      long count =
          out
              ? Libc.pwrite(file, address, bytes - done, offsetBytes + done)
              : Libc.pread(file, address, bytes - done, offsetBytes + done);
      if (count <= 0) {
        return false;
      }
      done += (int) count;
    }
    return true;
  }

  /** The result of a request that failed: never 0, which would have a write repeated for ever. */
  public static int failure(Errno errno) {
    return errno.number() == 0 ? -Errno.EIO.number() : -errno.number();
  }

  /** Unmaps; called when no tag is with the driver any more. */
  public void close() {
    if (!closed) {
      closed = true;
      port.detach();
      file.release();
      Libc.unmap(mappedAddress, mappedBytes);
    }
  }
}

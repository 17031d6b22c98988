package io.spared.queue;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.remap.Place;
import io.spared.remap.TableReader;
import org.jspecify.annotations.Nullable;

/**
 * Makes a disk's request of a piece of a device's request. What says where the piece goes was
 * looked up in the version of the map that the part carries from here to the kernel's last word.
 */
final class Submission {
  static final int ZEROES_BYTES = 64 << 10;

  /** Zeroing and discarding move no data, but one request should not occupy a disk for long. */
  private static final int WRITE_ZEROES_BYTES_MAX = 64 << 20;

  private static final int DISCARD_BYTES_MAX = 1 << 30;

  private final Engine engine;
  private final QueueDisks disks;
  private final TableReader reader;
  private final DeviceDoubts doubts;
  private final int blockBytes;
  private final int blockShift;
  private @Nullable IoBuffer zeroes;

  Submission(QueueContext context, Engine engine, QueueDisks disks, TableReader reader) {
    this.engine = engine;
    this.disks = disks;
    this.reader = reader;
    this.doubts = context.doubts();
    this.blockBytes = context.geometry().blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
  }

  /** What one disk's request may cover of it. */
  int lengthMax(DeviceRequest request, int disk) {
    return switch (request.operation) {
      case READ, WRITE, FLUSH -> disks.maxTransferBytes(disk);
      case DISCARD -> DISCARD_BYTES_MAX;
      case WRITE_ZEROES -> disks.writesZeroesByHand(disk) ? ZEROES_BYTES : WRITE_ZEROES_BYTES_MAX;
    };
  }

  /** Zeroes can be written from memory from now on; false when the pool has no buffer for them. */
  boolean takeZeroes() {
    if (zeroes == null) {
      IoBuffer buffer = engine.buffers().take(ZEROES_BYTES);
      if (buffer == null) {
        return false;
      }
      for (int at = 0; at < ZEROES_BYTES; at += 8) {
        buffer.bytes().putLong(at, 0);
      }
      zeroes = buffer;
    }
    return true;
  }

  void submit(
      Part part,
      DeviceRequest request,
      long place,
      int disk,
      DiskPort port,
      long offsetBytes,
      int lengthBytes,
      long version) {
    part.request = request;
    part.place = place;
    part.disk = disk;
    part.port = port;
    part.offsetBytes = offsetBytes;
    part.lengthBytes = lengthBytes;
    part.version = version;
    part.changesBytes = request.changesBytes();
    part.state = Part.State.IN_FLIGHT;
    long diskOffset =
        place == Place.MAIN
            ? offsetBytes
            : (Place.slot(place) << blockShift) + (offsetBytes & (blockBytes - 1));
    IoRequest io = part.io;
    switch (request.operation) {
      case READ, WRITE -> {
        IoBuffer buffer = request.buffer;
        if (buffer == null) {
          throw new IllegalStateException("a transfer without a buffer: " + request);
        }
        io.transfer(
            request.operation == DeviceRequest.Operation.READ
                ? IoRequest.Operation.READ
                : IoRequest.Operation.WRITE,
            diskOffset,
            buffer,
            request.bufferOffsetBytes + (int) (offsetBytes - request.offsetBytes),
            lengthBytes,
            request.deadlineNanos);
      }
      case WRITE_ZEROES -> {
        IoBuffer buffer = zeroes;
        if (buffer != null && (part.zeroesByHand || disks.writesZeroesByHand(disk))) {
          io.transfer(
              IoRequest.Operation.WRITE, diskOffset, buffer, 0, lengthBytes, request.deadlineNanos);
        } else {
          io.plain(
              IoRequest.Operation.WRITE_ZEROES, diskOffset, lengthBytes, request.deadlineNanos);
          if (request.withoutHoles) {
            io.withoutHoles();
          }
        }
      }
      case DISCARD ->
          io.plain(IoRequest.Operation.DISCARD, diskOffset, lengthBytes, request.deadlineNanos);
      case FLUSH -> throw new IllegalStateException("a flush has no range");
    }
    if (request.fua && io.operation() == IoRequest.Operation.WRITE) {
      io.durable();
    }
    port.submit(io);
  }

  void flush(Part part, DeviceRequest request, int disk, DiskPort port) {
    request.unfinishedParts++;
    part.request = request;
    part.place = Place.NONE;
    part.disk = disk;
    part.port = port;
    part.offsetBytes = 0;
    part.lengthBytes = 0;
    part.version = reader.begin();
    part.changesBytes = false;
    part.flushRound = part.mirrors ? 0 : doubts.flushBegins(disk);
    part.state = Part.State.IN_FLIGHT;
    part.io.plain(IoRequest.Operation.FLUSH, 0, 0, request.deadlineNanos);
    port.submit(part.io);
  }

  void close() {
    IoBuffer buffer = zeroes;
    if (buffer != null) {
      buffer.release();
      zeroes = null;
    }
  }
}

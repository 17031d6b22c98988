package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoBuffer;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The writes of one queue that the relocator has. Each counts as an unfinished part of its request
 * until the relocator answers, which it does after the commit: <b>map before acknowledgement</b>.
 */
final class Relocations {
  /** Writes that wait for the relocator at a time; each holds a copy of a block. */
  private static final int MAX = 256;

  private record Ticket(DeviceRequest request, long offsetBytes, long lengthBytes) {}

  private final QueueContext context;
  private final KernelPages pages;
  private final int blockBytes;
  private final int blockShift;
  private final int sectorBytes;
  private final Map<Long, Ticket> tickets = new HashMap<>();
  private long nextTicket = 1;

  Relocations(QueueContext context, KernelPages pages) {
    this.context = context;
    this.pages = pages;
    this.blockBytes = context.geometry().blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
    this.sectorBytes = context.geometry().sectorBytes();
  }

  boolean isFull() {
    return tickets.size() >= MAX;
  }

  /**
   * Asks for the move of one block, with the bytes that are to be written there; without them that
   * part of the write has failed.
   */
  void ask(DeviceRequest request, long fromBytes, long toBytes, long failedPlace) {
    if (!pages.bringToMemory(request)) {
      request.fail(Errno.EIO, fromBytes, toBytes - fromBytes);
      return;
    }
    byte[] bytes = new byte[(int) (toBytes - fromBytes)];
    IoBuffer buffer = request.buffer;
    if (buffer != null && request.operation == DeviceRequest.Operation.WRITE) {
      buffer
          .bytes()
          .get(request.bufferOffsetBytes + (int) (fromBytes - request.offsetBytes), bytes);
    }
    long ticket = nextTicket++;
    tickets.put(ticket, new Ticket(request, fromBytes, bytes.length));
    request.unfinishedParts++;
    int firstSector = (int) (fromBytes & (blockBytes - 1)) / sectorBytes;
    context.report(
        new QueueReport.WriteWaits(
            context.queueId(),
            new WaitingWrite(ticket, fromBytes >>> blockShift, firstSector, bytes, failedPlace)));
  }

  /** The relocator's answer; the request of which it was a part, or null when nobody waits. */
  @Nullable DeviceRequest answered(long number, @Nullable Errno errno) {
    Ticket ticket = tickets.remove(number);
    if (ticket == null) {
      return null;
    }
    if (errno != null) {
      ticket.request().fail(errno, ticket.offsetBytes(), ticket.lengthBytes());
    }
    return ticket.request();
  }

  void forgetAll() {
    tickets.clear();
  }
}

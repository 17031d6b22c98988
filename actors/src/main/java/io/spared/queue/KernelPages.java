package io.spared.queue;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoBuffer;

/**
 * Requests whose data are in the kernel's pages (zero copy). A disk of the ring's own moves them by
 * offset, whatever they are cut into. Everything else needs the bytes in memory:
 *
 * <ul>
 *   <li>the relocator, which puts a block together of what is written and what was there;
 *   <li>a write to two disks: a program may change its pages while they are being written, and then
 *       the disks would differ where nobody knows;
 *   <li>a disk that is not reached through the ring.
 * </ul>
 *
 * <p>A write is brought into memory then, once. A read never is: of the parts that are in the pages
 * already nothing could be delivered from memory.
 */
final class KernelPages {
  private final QueueHost host;

  KernelPages(QueueHost host) {
    this.host = host;
  }

  /** Whether the request's data can be moved by this port; a write's are brought where it can. */
  boolean suit(DeviceRequest request, DiskPort port) {
    IoBuffer buffer = request.buffer;
    return buffer == null || buffer.hasMemory() || port.takesPages() || bringToMemory(request);
  }

  /** Whether its data are in memory now. */
  boolean bringToMemory(DeviceRequest request) {
    IoBuffer buffer = request.buffer;
    if (buffer == null || buffer.hasMemory()) {
      return true;
    }
    if (request.operation != DeviceRequest.Operation.WRITE) {
      return false;
    }
    IoBuffer memory = host.bringToMemory(request);
    if (memory == null) {
      return false;
    }
    request.buffer = memory;
    request.bufferOffsetBytes = 0;
    return true;
  }
}

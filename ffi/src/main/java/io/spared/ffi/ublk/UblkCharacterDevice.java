package io.spared.ffi.ublk;

import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.nio.file.Path;

/**
 * /dev/ublkcN, through which one process serves a ublk device. It may be attached to the engines of
 * several threads, a queue each; the file is given back when it and all its queues were closed.
 */
public final class UblkCharacterDevice implements AutoCloseable {
  private final Descriptor file;
  private final UblkDeviceInfo info;

  private UblkCharacterDevice(Descriptor file, UblkDeviceInfo info) {
    this.file = file;
    this.info = info;
  }

  /** Opens it. EBUSY passes: udev may look at a new device for a moment. */
  public static UblkCharacterDevice open(Path directory, UblkDeviceInfo info) throws UblkException {
    Path path = directory.resolve("ublkc" + info.number());
    try {
      return new UblkCharacterDevice(Descriptor.open(path, Abi.O_RDWR), info);
    } catch (NativeException e) {
      throw new UblkException(e.getMessage() == null ? e.toString() : e.getMessage(), e.errno());
    }
  }

  public UblkDeviceInfo info() {
    return info;
  }

  /**
   * Takes up one queue, on the thread that will fetch its requests: the driver ties each tag to the
   * thread that fetched it.
   */
  public UblkQueuePort attach(int queue, DriverEngine engine) throws UblkException {
    int bytes = IoDescriptors.mappedBytes(info.depth(), pageBytes());
    try {
      long address =
          Libc.map(
              file, IoDescriptors.mappedOffsetBytes(queue), bytes, Abi.PROT_READ, Abi.MAP_POPULATE);
      return new UblkQueuePort(file, info, queue, address, bytes, engine);
    } catch (NativeException e) {
      throw new UblkException(e.getMessage() == null ? e.toString() : e.getMessage(), e.errno());
    }
  }

  private static int pageBytes() {
    return Memory.PAGE_BYTES;
  }

  @Override
  public void close() {
    file.close();
  }
}

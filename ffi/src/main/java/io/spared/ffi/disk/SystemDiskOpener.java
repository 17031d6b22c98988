package io.spared.ffi.disk;

import io.spared.ffi.disk.DiskException.Reason;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Opens block devices, regular files and memory disks. Others are opened by openers around this one
 * ({@link FaultDiskOpener}, and the NBD client's).
 */
public final class SystemDiskOpener implements DiskOpener {
  private static final long MEMORY_BYTES_MAX = 64L << 30;

  private final PathDiskOpener paths;
  private final Map<DiskAddress, MemoryStore> memory = new HashMap<>();

  public SystemDiskOpener() {
    this(Path.of("/"));
  }

  /** With the small files of /sys, /proc and /run below another root; for tests. */
  SystemDiskOpener(Path root) {
    this.paths = new PathDiskOpener(new HostFiles(root));
  }

  @Override
  public Disk open(DiskAddress address, Mode mode) throws DiskException {
    return switch (address) {
      case DiskAddress.OfPath path -> paths.open(path, path.path(), 0, mode);
      case DiskAddress.OfTail tail -> paths.open(tail, tail.whole().path(), tail.sizeBytes(), mode);
      case DiskAddress.OfMemory ofMemory -> openMemory(ofMemory, mode);
      case DiskAddress.OfNbd nbd ->
          throw new DiskException(
              Reason.UNSUPPORTED, "disk " + nbd + ": nothing here opens remote exports");
      case DiskAddress.OfFault fault ->
          throw new DiskException(
              Reason.UNSUPPORTED, "disk " + fault + ": nothing here injects faults");
    };
  }

  private Disk openMemory(DiskAddress.OfMemory address, Mode mode) throws DiskException {
    if (address.sizeBytes() > MEMORY_BYTES_MAX) {
      throw new DiskException(
          Reason.UNSUPPORTED,
          "disk "
              + address
              + ": a memory disk has at most "
              + ByteSize.format(MEMORY_BYTES_MAX)
              + "; choose a smaller one");
    }
    MemoryStore store;
    synchronized (memory) {
      store = memory.computeIfAbsent(address, key -> new MemoryStore(address.sizeBytes()));
    }
    if (mode == Mode.OWN && !store.claim()) {
      throw new DiskException(
          Reason.BUSY,
          "disk "
              + address
              + " is in use in this process; give each its own name, such as memory:16M,other");
    }
    return new MemoryDisk(address, store, mode == Mode.OWN);
  }
}

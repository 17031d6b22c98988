package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.DiskException.Reason;
import io.spared.ffi.disk.DiskOpener.Mode;
import io.spared.ffi.engine.FileEngine.FileKind;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Opens block devices and regular files: O_DIRECT, O_EXCL on devices, an open-file-description lock
 * on files. Every refusal is one sentence that says what, which disk and what to do.
 */
final class PathDiskOpener {
  /** What is owned of one disk. */
  private static final class Owned {
    @Nullable Descriptor whole;
    @Nullable Descriptor tail;

    boolean isClosed() {
      return (whole == null || whole.isClosed()) && (tail == null || tail.isClosed());
    }
  }

  /** A label stands in the last of these units of a disk, and a tail ends before it. */
  private static final int LABEL_BYTES = 4096;

  private final HostFiles files;
  private final DiskUsers users;
  private final Map<Path, Owned> owned = new HashMap<>();

  PathDiskOpener(HostFiles files) {
    this.files = files;
    this.users = new DiskUsers(files);
  }

  /**
   * Opens a disk or its tail.
   *
   * @param tailBytes the size of the tail; 0 for the whole disk
   */
  Disk open(DiskAddress address, Path path, long tailBytes, Mode mode) throws DiskException {
    Path real = realPath(address, path);
    FileKind kind = kind(address, real);
    DeviceNode node = kind == FileKind.BLOCK_DEVICE ? node(address, real) : null;
    Descriptor file =
        mode == Mode.OWN
            ? own(address, real, kind, node, tailBytes > 0)
            : openFile(address, real, kind, mode, node);
    try {
      return describe(address, real, kind, node, file, tailBytes);
    } catch (DiskException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** Owned once in all processes, but here the whole disk and its tail share the claim. */
  private Descriptor own(
      DiskAddress address, Path real, FileKind kind, @Nullable DeviceNode node, boolean tail)
      throws DiskException {
    Descriptor beside = shared(real, tail);
    if (beside != null) {
      return beside;
    }
    if (node != null) {
      refuseUsedDevice(address, real, node);
    } else {
      refuseUsedFile(address, real);
    }
    Descriptor file = null;
    try {
      file = openFile(address, real, kind, Mode.OWN, node);
      if (kind == FileKind.REGULAR) {
        lock(address, real, file);
      }
      register(real, tail, file);
      return file;
    } catch (DiskException e) {
      if (file != null) {
        file.close();
      }
      // Its other half may have been opened at this moment.
      boolean inUse = e.reason() == Reason.BUSY || e.reason() == Reason.LINGERING;
      beside = inUse ? shared(real, tail) : null;
      if (beside == null) {
        throw e;
      }
      return beside;
    }
  }

  private @Nullable Descriptor shared(Path real, boolean tail) throws DiskException {
    synchronized (owned) {
      Owned known = owned.get(real);
      Descriptor other = known == null ? null : tail ? known.whole : known.tail;
      Descriptor same = known == null ? null : tail ? known.tail : known.whole;
      if (other == null || other.isClosed() || (same != null && !same.isClosed())) {
        return null;
      }
      try {
        Descriptor copy = other.duplicate();
        register(real, tail, copy);
        return copy;
      } catch (NativeException | IllegalStateException closed) {
        return null;
      }
    }
  }

  private void register(Path real, boolean tail, Descriptor file) {
    synchronized (owned) {
      owned.values().removeIf(Owned::isClosed);
      Owned known = owned.computeIfAbsent(real, path -> new Owned());
      if (tail) {
        known.tail = file;
      } else {
        known.whole = file;
      }
    }
  }

  private static Path realPath(DiskAddress address, Path path) throws DiskException {
    try {
      return path.toRealPath();
    } catch (NoSuchFileException e) {
      throw new DiskException(
          Reason.MISSING, "disk " + address + " is not there; plug it in or correct the path", e);
    } catch (java.nio.file.AccessDeniedException e) {
      throw noPermission(address, e);
    } catch (IOException e) {
      throw new DiskException(Reason.IO, "disk " + address + ": " + e.getMessage(), e);
    }
  }

  private static DiskException noPermission(DiskAddress address, Exception cause) {
    return new DiskException(
        Reason.NO_PERMISSION,
        "disk "
            + address
            + ": permission denied for user "
            + System.getProperty("user.name")
            + "; run spared as root or give it access",
        cause);
  }

  private static FileKind kind(DiskAddress address, Path real) throws DiskException {
    try {
      Object mode = Files.getAttribute(real, "unix:mode");
      int type = mode instanceof Integer bits ? bits & Abi.S_IFMT : 0;
      if (type == Abi.S_IFBLK) {
        return FileKind.BLOCK_DEVICE;
      }
      if (type == Abi.S_IFREG) {
        return FileKind.REGULAR;
      }
      String what = Files.isDirectory(real) ? "a directory" : "neither a block device nor a file";
      throw new DiskException(
          Reason.NOT_A_DISK,
          "disk " + address + " is " + what + "; give a block device or a regular file");
    } catch (IOException e) {
      throw new DiskException(Reason.IO, "disk " + address + ": " + e.getMessage(), e);
    }
  }

  private DeviceNode node(DiskAddress address, Path real) throws DiskException {
    try {
      return DeviceNode.of(files, real);
    } catch (IOException e) {
      throw new DiskException(Reason.IO, "disk " + address + ": " + e.getMessage(), e);
    }
  }

  private void refuseUsedDevice(DiskAddress address, Path real, DeviceNode node)
      throws DiskException {
    List<String> names = new ArrayList<>(List.of(real.toString(), address.toString()));
    names.addAll(node.links());
    Optional<String> mounted = users.mountedAt(node.numbers()).or(() -> users.mountedFrom(names));
    if (mounted.isPresent()) {
      throw new DiskException(
          Reason.MOUNTED,
          "disk " + address + " is mounted at " + mounted.get() + "; unmount it first");
    }
    if (users.isSwap(names)) {
      throw new DiskException(
          Reason.BUSY, "disk " + address + " is swap space in use; run swapoff first");
    }
    List<String> holders = node.holders();
    if (!holders.isEmpty()) {
      throw new DiskException(
          Reason.BUSY,
          "disk "
              + address
              + " is in use by "
              + String.join(", ", holders)
              + "; take that apart first");
    }
  }

  private void refuseUsedFile(DiskAddress address, Path real) throws DiskException {
    Optional<String> loop = users.loopOver(real);
    if (loop.isPresent()) {
      throw new DiskException(
          Reason.BUSY,
          "disk " + address + " is in use by " + loop.get() + "; detach it with losetup -d first");
    }
  }

  private Descriptor openFile(
      DiskAddress address, Path real, FileKind kind, Mode mode, @Nullable DeviceNode node)
      throws DiskException {
    if (mode == Mode.OWN && node != null && node.readOnly()) {
      throw readOnly(address, null);
    }
    int flags = mode == Mode.OWN ? Abi.O_RDWR : Abi.O_RDONLY;
    if (mode == Mode.OWN && kind == FileKind.BLOCK_DEVICE) {
      flags |= Abi.O_EXCL;
    }
    try {
      try {
        return Descriptor.open(real, flags | Abi.O_DIRECT);
      } catch (NativeException e) {
        if (e.errno() == Errno.EINVAL && kind == FileKind.REGULAR) {
          // A file system without direct I/O; flushes make it as durable.
          return Descriptor.open(real, flags);
        }
        throw e;
      }
    } catch (NativeException e) {
      throw refusal(address, real, e);
    }
  }

  private DiskException refusal(DiskAddress address, Path real, NativeException e) {
    return switch (e.errno()) {
      case ENOENT, ENXIO, ENODEV, ENOMEDIUM ->
          new DiskException(
              Reason.MISSING,
              "disk " + address + " is not there; plug it in or correct the path",
              e);
      case EACCES, EPERM -> noPermission(address, e);
      case EROFS -> readOnly(address, e);
      case EBUSY -> busy(address, real, e);
      default ->
          new DiskException(
              Reason.IO,
              "disk "
                  + address
                  + " cannot be opened: "
                  + e.errno().meaning()
                  + " ("
                  + e.errno()
                  + "); look at the kernel's log",
              e);
    };
  }

  private static DiskException readOnly(DiskAddress address, @Nullable Exception cause) {
    String sentence =
        "disk " + address + " is read-only; lift its write protection or give another disk";
    return cause == null
        ? new DiskException(Reason.READ_ONLY, sentence)
        : new DiskException(Reason.READ_ONLY, sentence, cause);
  }

  private DiskException busy(DiskAddress address, Path real, @Nullable Exception cause) {
    List<String> processes = users.processesWith(real);
    String sentence =
        processes.isEmpty()
            ? "disk "
                + address
                + " is in use, perhaps by requests of a dead process that the kernel still carries"
                + " out; wait or find its user"
            : "disk "
                + address
                + " is in use by "
                + String.join(", ", processes)
                + "; end that first";
    Reason reason = processes.isEmpty() ? Reason.LINGERING : Reason.BUSY;
    return cause == null
        ? new DiskException(reason, sentence)
        : new DiskException(reason, sentence, cause);
  }

  /**
   * The lock belongs to the open file description: it ends with its last descriptor, not before.
   */
  private void lock(DiskAddress address, Path real, Descriptor file) throws DiskException {
    ByteBuffer flock = Memory.structure(32);
    flock.putShort(0, Abi.F_WRLCK);
    try {
      long result = Libc.fcntl(file, Abi.F_OFD_SETLK, Memory.address(flock));
      if (result >= 0) {
        return;
      }
      Errno errno = Errno.of((int) -result);
      if (errno == Errno.EAGAIN || errno == Errno.EACCES) {
        throw busy(address, real, null);
      }
      throw new DiskException(
          Reason.UNSUPPORTED,
          "disk "
              + address
              + " is on a file system that cannot lock files ("
              + errno
              + "); move it to another");
    } finally {
      Reference.reachabilityFence(flock);
    }
  }

  private Disk describe(
      DiskAddress address,
      Path real,
      FileKind kind,
      @Nullable DeviceNode node,
      Descriptor file,
      long tailBytes)
      throws DiskException {
    try {
      DiskGeometry geometry = node == null ? fileGeometry(file) : deviceGeometry(file, node);
      if (geometry.sizeBytes() < geometry.logicalSectorBytes()) {
        throw new DiskException(
            Reason.TOO_SMALL,
            "disk " + address + " has a size of " + geometry.sizeBytes() + " bytes; give a larger");
      }
      List<DiskIdentity.Content> contents =
          tailBytes > 0
              ? List.of()
              : Superblocks.read(
                  new AlignedReader(file, geometry.sizeBytes()),
                  geometry.sizeBytes(),
                  geometry.logicalSectorBytes());
      DiskIdentity identity =
          node == null
              ? new DiskIdentity(
                  real.toString(),
                  Optional.empty(),
                  Optional.empty(),
                  Optional.empty(),
                  List.of(),
                  contents)
              : new DiskIdentity(
                  node.kernelName(),
                  node.model(),
                  node.serial(),
                  node.wwn(),
                  node.links(),
                  contents);
      return tailBytes > 0
          ? tail(address, file, kind, geometry, identity, tailBytes)
          : new PathDisk(address, file, kind, geometry, identity, 0);
    } catch (IOException e) {
      throw new DiskException(
          Reason.IO,
          "disk " + address + " cannot be read: " + e.getMessage() + "; check it and its cable",
          e);
    }
  }

  private static Disk tail(
      DiskAddress address,
      Descriptor file,
      FileKind kind,
      DiskGeometry whole,
      DiskIdentity identity,
      long tailBytes)
      throws DiskException {
    long endBytes = whole.sizeBytes() / LABEL_BYTES * LABEL_BYTES - LABEL_BYTES;
    if (tailBytes % LABEL_BYTES != 0 || tailBytes >= endBytes) {
      throw new DiskException(
          Reason.TOO_SMALL,
          "disk "
              + address
              + ": a tail is whole units of 4 KiB and smaller than its disk, which has "
              + whole.sizeBytes()
              + " bytes");
    }
    DiskGeometry geometry =
        new DiskGeometry(
            tailBytes,
            whole.logicalSectorBytes(),
            whole.physicalSectorBytes(),
            whole.discardGranularityBytes(),
            whole.rotational(),
            whole.volatileCache(),
            whole.maxTransferBytes());
    return new PathDisk(address, file, kind, geometry, identity, endBytes - tailBytes);
  }

  private static DiskGeometry fileGeometry(Descriptor file) throws NativeException {
    ByteBuffer statx = Libc.statx(file);
    long sizeBytes = statx.getLong(40);
    int blockBytes = Math.max(512, statx.getInt(4));
    int alignment = Math.max(statx.getInt(152), statx.getInt(156));
    int sectorBytes = alignment > 512 && alignment <= 4096 ? 4096 : 512;
    return new DiskGeometry(
        sizeBytes / sectorBytes * sectorBytes,
        sectorBytes,
        Math.max(sectorBytes, Math.min(blockBytes, 4096)),
        4096,
        false,
        true,
        0);
  }

  private static DiskGeometry deviceGeometry(Descriptor file, DeviceNode node)
      throws NativeException {
    return new DiskGeometry(
        learn(file, Abi.BLKGETSIZE64, 8, "the size"),
        (int) learn(file, Abi.BLKSSZGET, 4, "the logical sector"),
        (int) learn(file, Abi.BLKPBSZGET, 4, "the physical sector"),
        node.discardGranularityBytes(),
        node.rotational(),
        node.volatileCache(),
        node.maxTransferBytes());
  }

  private static long learn(Descriptor file, long request, int bytes, String what)
      throws NativeException {
    ByteBuffer memory = Memory.structure(8);
    try {
      long result = Libc.ioctl(file, request, Memory.address(memory));
      if (result < 0) {
        throw new NativeException("learn " + what + " of " + file, Errno.of((int) -result));
      }
      return bytes == 8 ? memory.getLong(0) : memory.getInt(0);
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  /** Reads whole pages, as direct I/O wants them, and gives what was asked for. */
  private record AlignedReader(Descriptor file, long sizeBytes) implements Superblocks.Reader {
    private static final int ALIGN = 4096;

    @Override
    public byte[] read(long offsetBytes, int lengthBytes) throws IOException {
      if (offsetBytes < 0 || offsetBytes >= sizeBytes) {
        return new byte[0];
      }
      long first = offsetBytes / ALIGN * ALIGN;
      int skip = (int) (offsetBytes - first);
      int span = (skip + lengthBytes + ALIGN - 1) / ALIGN * ALIGN;
      ByteBuffer memory = Memory.pages(span);
      try {
        int done = 0;
        while (done < span) {
          long result = Libc.pread(file, Memory.address(memory) + done, span - done, first + done);
          if (result == -Errno.EINTR.number()) {
            continue;
          }
          if (result < 0) {
            throw new NativeException("read " + file, Errno.of((int) -result));
          }
          if (result == 0 || result % 512 != 0) {
            done += (int) result;
            break;
          }
          done += (int) result;
        }
        byte[] wanted = new byte[Math.max(0, Math.min(lengthBytes, done - skip))];
        memory.get(skip, wanted);
        return wanted;
      } finally {
        Reference.reachabilityFence(memory);
      }
    }
  }
}

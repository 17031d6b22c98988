package io.spared.ffi.disk;

import java.nio.file.Path;

/**
 * Where a disk is, as people write it: a path, {@code memory:16M}, {@code nbd:...}, or {@code
 * fault:} before another.
 */
public sealed interface DiskAddress {
  /**
   * What a person wrote.
   *
   * @throws IllegalArgumentException with a sentence that says what is wrong and what to write
   */
  static DiskAddress parse(String text) {
    return DiskAddressParser.parse(text);
  }

  /** A block device or a regular file. */
  record OfPath(Path path) implements DiskAddress {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * The last bytes of a disk before the label at its end: the spare of a main disk that is its own.
   * One process may own the whole disk and its tail side by side.
   */
  record OfTail(OfPath whole, long sizeBytes) implements DiskAddress {
    @Override
    public String toString() {
      return "tail:" + sizeBytes + ":" + whole;
    }
  }

  /**
   * The tail of a disk of this address.
   *
   * @throws IllegalArgumentException for an address that has none
   */
  static DiskAddress tailOf(DiskAddress address, long sizeBytes) {
    return switch (address) {
      case OfPath path -> new OfTail(path, sizeBytes);
      case OfFault fault -> new OfFault(tailOf(fault.inner(), sizeBytes));
      case OfTail tail -> throw new IllegalArgumentException(tail + " has no tail of its own");
      case OfMemory memory -> throw new IllegalArgumentException(memory + " has no tail");
      case OfNbd nbd -> throw new IllegalArgumentException(nbd + " has no tail");
    };
  }

  /** Bytes in this process, gone with it; the name tells several of one size apart. */
  record OfMemory(long sizeBytes, int sectorBytes, String name) implements DiskAddress {
    @Override
    public String toString() {
      return "memory:"
          + sizeBytes
          + (sectorBytes == 512 ? "" : ",sector=" + sectorBytes)
          + (name.isEmpty() ? "" : "," + name);
    }
  }

  /** An export of an NBD server, such as nbd:unix:/run/x.sock:name or nbd://host:10809/name. */
  record OfNbd(String uri) implements DiskAddress {
    @Override
    public String toString() {
      return "nbd:" + uri;
    }
  }

  /** Another disk with faults injected. */
  record OfFault(DiskAddress inner) implements DiskAddress {
    @Override
    public String toString() {
      return "fault:" + inner;
    }
  }
}

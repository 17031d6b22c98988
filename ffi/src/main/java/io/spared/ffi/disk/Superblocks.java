package io.spared.ffi.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * Recognises what stands on a disk: partition tables and file systems, their identifiers, and the
 * first byte behind them. Read by ourselves rather than through libblkid, which tells neither the
 * end of a file system nor anything on hosts without it, and these four layouts have not changed in
 * a decade. What is recognised but whose end is not known counts as ending with the disk.
 */
final class Superblocks {
  /** Reads bytes of a disk; a short array beyond its end. */
  interface Reader {
    byte[] read(long offsetBytes, int lengthBytes) throws IOException;
  }

  private static final int EXT4_INCOMPAT_EXTENTS = 0x40;
  private static final int EXT4_INCOMPAT_64BIT = 0x80;
  private static final int EXT_COMPAT_JOURNAL = 0x4;

  private final Reader reader;
  private final long sizeBytes;
  private final int sectorBytes;

  private Superblocks(Reader reader, long sizeBytes, int sectorBytes) {
    this.reader = reader;
    this.sizeBytes = sizeBytes;
    this.sectorBytes = sectorBytes;
  }

  /** All that is recognised on the disk. */
  static List<DiskIdentity.Content> read(Reader reader, long sizeBytes, int sectorBytes)
      throws IOException {
    return new Superblocks(reader, sizeBytes, sectorBytes).read();
  }

  private List<DiskIdentity.Content> read() throws IOException {
    List<DiskIdentity.Content> found = new ArrayList<>();
    ByteBuffer head = buffer(reader.read(0, 8192));
    if (head.capacity() < 8192) {
      return found;
    }
    add(found, gpt());
    if (found.isEmpty()) {
      add(found, mbr(head));
    }
    add(found, ext(head));
    add(found, xfs(head));
    add(found, btrfs());
    add(found, lvm(head));
    if (hasText(head, 0, "LUKS") && head.get(4) == (byte) 0xba && head.get(5) == (byte) 0xbe) {
      found.add(whole("luks"));
    }
    if (hasText(head, 4086, "SWAPSPACE2")) {
      found.add(whole("swap"));
    }
    return found;
  }

  private static void add(
      List<DiskIdentity.Content> found, DiskIdentity.@Nullable Content content) {
    if (content != null) {
      found.add(content);
    }
  }

  private DiskIdentity.Content whole(String kind) {
    return new DiskIdentity.Content(kind, Optional.empty(), Optional.empty(), sizeBytes);
  }

  private DiskIdentity.@Nullable Content gpt() throws IOException {
    ByteBuffer header = gptHeader(1);
    if (header == null) {
      // The first header may be damaged while the one at the end is sound.
      header = gptHeader(sizeBytes / sectorBytes - 1);
    }
    if (header == null) {
      return null;
    }
    long last = Math.max(header.getLong(24), header.getLong(32));
    return new DiskIdentity.Content(
        "gpt", Optional.of(guid(header, 56)), Optional.empty(), (last + 1) * sectorBytes);
  }

  private @Nullable ByteBuffer gptHeader(long sector) throws IOException {
    byte[] bytes = reader.read(sector * sectorBytes, sectorBytes);
    if (bytes.length < 512) {
      return null;
    }
    ByteBuffer header = buffer(bytes);
    if (!hasText(header, 0, "EFI PART")) {
      return null;
    }
    int length = header.getInt(12);
    if (length < 92 || length > bytes.length) {
      return null;
    }
    int expected = header.getInt(16);
    byte[] checked = java.util.Arrays.copyOf(bytes, length);
    buffer(checked).putInt(16, 0);
    CRC32 crc = new CRC32();
    crc.update(checked);
    return (int) crc.getValue() == expected ? header : null;
  }

  private DiskIdentity.@Nullable Content mbr(ByteBuffer head) {
    if ((head.getShort(510) & 0xffff) != 0xaa55 || hasText(head, 3, "NTFS")) {
      return null;
    }
    long end = 0;
    for (int entry = 0; entry < 4; entry++) {
      int at = 446 + entry * 16;
      int status = head.get(at) & 0xff;
      int type = head.get(at + 4) & 0xff;
      if (status != 0 && status != 0x80) {
        return null;
      }
      if (type != 0) {
        long first = head.getInt(at + 8) & 0xffff_ffffL;
        long count = head.getInt(at + 12) & 0xffff_ffffL;
        end = Math.max(end, (first + count) * sectorBytes);
      }
    }
    if (end == 0) {
      return null;
    }
    String id = String.format(Locale.ROOT, "%08x", head.getInt(440));
    return new DiskIdentity.Content("mbr", Optional.of(id), Optional.empty(), end);
  }

  private static DiskIdentity.@Nullable Content ext(ByteBuffer head) {
    int at = 1024;
    if ((head.getShort(at + 56) & 0xffff) != 0xef53) {
      return null;
    }
    int incompatible = head.getInt(at + 96);
    long blocks = head.getInt(at + 4) & 0xffff_ffffL;
    if ((incompatible & EXT4_INCOMPAT_64BIT) != 0) {
      blocks |= (head.getInt(at + 336) & 0xffff_ffffL) << 32;
    }
    int shift = head.getInt(at + 24);
    if (shift < 0 || shift > 6) {
      return null;
    }
    String kind;
    if ((incompatible & (EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT)) != 0) {
      kind = "ext4";
    } else {
      kind = (head.getInt(at + 92) & EXT_COMPAT_JOURNAL) != 0 ? "ext3" : "ext2";
    }
    return new DiskIdentity.Content(
        kind, Optional.of(uuid(head, at + 104)), text(head, at + 120, 16), blocks << (10 + shift));
  }

  private static DiskIdentity.@Nullable Content xfs(ByteBuffer head) {
    if (!hasText(head, 0, "XFSB")) {
      return null;
    }
    ByteBuffer big = head.duplicate().order(ByteOrder.BIG_ENDIAN);
    long end = (big.getInt(4) & 0xffff_ffffL) * big.getLong(8);
    return new DiskIdentity.Content("xfs", Optional.of(uuid(head, 32)), text(head, 108, 12), end);
  }

  private DiskIdentity.@Nullable Content btrfs() throws IOException {
    byte[] bytes = reader.read(65536, 4096);
    if (bytes.length < 4096) {
      return null;
    }
    ByteBuffer block = buffer(bytes);
    if (!hasText(block, 64, "_BHRfS_M")) {
      return null;
    }
    long end = block.getLong(201 + 8);
    return new DiskIdentity.Content(
        "btrfs", Optional.of(uuid(block, 32)), text(block, 299, 256), end);
  }

  private DiskIdentity.@Nullable Content lvm(ByteBuffer head) {
    for (int sector = 0; sector < 4; sector++) {
      if (hasText(head, sector * 512, "LABELONE")) {
        return whole("lvm2");
      }
    }
    return null;
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static boolean hasText(ByteBuffer in, int at, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (at + i >= in.capacity() || in.get(at + i) != (byte) text.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  private static Optional<String> text(ByteBuffer in, int at, int bytes) {
    byte[] raw = new byte[bytes];
    in.get(at, raw);
    int end = 0;
    while (end < bytes && raw[end] != 0) {
      end++;
    }
    String text = new String(raw, 0, end, StandardCharsets.UTF_8).strip();
    return text.isEmpty() ? Optional.empty() : Optional.of(text);
  }

  private static String uuid(ByteBuffer in, int at) {
    ByteBuffer big = in.duplicate().order(ByteOrder.BIG_ENDIAN);
    return new UUID(big.getLong(at), big.getLong(at + 8)).toString();
  }

  /** GPT writes the first three groups of an identifier little-endian. */
  private static String guid(ByteBuffer in, int at) {
    ByteBuffer little = in.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer big = in.duplicate().order(ByteOrder.BIG_ENDIAN);
    long high =
        (little.getInt(at) & 0xffff_ffffL) << 32
            | (little.getShort(at + 4) & 0xffffL) << 16
            | (little.getShort(at + 6) & 0xffffL);
    return new UUID(high, big.getLong(at + 8)).toString();
  }
}

package io.spared.app.offline;

import io.spared.ffi.disk.DiskOpener;
import io.spared.format.LostBits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Takes a dm-remap pair over. First everything is read and judged; then the old copies and every
 * spare sector that holds data are kept in a file, flushed; only then is anything written, and main
 * never is. Blocks are put together from main and the old spare sectors, in memory, so it does not
 * matter that the new metadata stands where old data stood.
 */
public final class DmRemapImport {
  private static final int SECTOR_BYTES = 512;

  private DmRemapImport() {}

  /** What was found, and what would be done. */
  public record Judged(List<DmRemapCopy> copies, DmRemapPlan plan) {
    public Judged {
      copies = List.copyOf(copies);
    }
  }

  /** Reads the spare and judges its entries; writes nothing. */
  public static Judged judge(OfflineDisk main, OfflineDisk spare, int blockBytes)
      throws OfflineException {
    List<DmRemapCopy> copies = new ArrayList<>();
    for (long offsetBytes : DmRemapCopy.OFFSETS) {
      int lengthBytes = (DmRemapCopy.FORMAT_A_BYTES + 4095) / 4096 * 4096;
      if (offsetBytes + lengthBytes > spare.sizeBytes()) {
        continue;
      }
      try {
        DmRemapCopy.read(spare.read(offsetBytes, lengthBytes), offsetBytes).ifPresent(copies::add);
      } catch (IOException unreadable) {
        // One copy less.
      }
    }
    Optional<DmRemapCopy> best = DmRemapPlan.best(copies);
    if (best.isEmpty()) {
      throw new OfflineException(
          spare.disk().address()
              + ": holds no valid metadata of dm-remap, in neither format and at neither place");
    }
    DmRemapPlan plan =
        DmRemapPlan.of(
            best.get(),
            main.sizeBytes() / SECTOR_BYTES,
            spare.sizeBytes() / SECTOR_BYTES,
            blockBytes / SECTOR_BYTES);
    return new Judged(copies, plan);
  }

  /** For a dry run: opens both disks only to look. */
  public static Judged judge(OfflineDisks disks, String main, String spare, int blockBytes)
      throws OfflineException {
    return judge(
        disks.open(main, DiskOpener.Mode.OWN), disks.open(spare, DiskOpener.Mode.OWN), blockBytes);
  }

  /** Tells what it found, then makes the device; the file of kept bytes must not exist yet. */
  public static Creation.Made carryOut(
      OfflineDisks disks, Creation.Request request, Path keep, Consumer<Judged> told)
      throws OfflineException, IOException {
    return new Creation(disks, request)
        .make(opened -> {
          OfflineDisk main = opened.main();
          OfflineDisk spare = opened.spares().get(0);
          if (opened.geometry().sectorBytes() != SECTOR_BYTES) {
            throw new OfflineException(
                main.disk().address() + ": dm-remap's remaps need sectors of 512 bytes");
          }
          Judged judged = judge(main, spare, opened.geometry().blockBytes());
          told.accept(judged);
          keep(judged, spare, keep);
          return blocks(judged.plan(), main, spare, opened.geometry().blockBytes());
        });
  }

  private static void keep(Judged judged, OfflineDisk spare, Path keep) throws IOException {
    try (FileChannel file =
        FileChannel.open(keep, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (DmRemapCopy copy : judged.copies()) {
        int lengthBytes = (DmRemapCopy.FORMAT_A_BYTES + 4095) / 4096 * 4096;
        piece(file, spare, copy.offsetBytes(), lengthBytes);
      }
      for (DmRemapPlan.BlockPlan block : judged.plan().blocks().values()) {
        for (long sector : block.fromSpare().values()) {
          piece(file, spare, sector / 8 * 4096, 4096);
        }
      }
      file.force(true);
    }
  }

  private static void piece(FileChannel file, OfflineDisk spare, long offsetBytes, int lengthBytes)
      throws IOException {
    ByteBuffer bytes;
    try {
      bytes = spare.read(offsetBytes, lengthBytes);
    } catch (IOException unreadable) {
      return;
    }
    String head =
        "spared kept "
            + spare.disk().address()
            + " at "
            + offsetBytes
            + " "
            + lengthBytes
            + " bytes\n";
    file.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.UTF_8)));
    while (bytes.hasRemaining()) {
      file.write(bytes);
    }
  }

  private static List<Creation.Imported> blocks(
      DmRemapPlan plan, OfflineDisk main, OfflineDisk spare, int blockBytes) {
    List<Creation.Imported> blocks = new ArrayList<>();
    for (Map.Entry<Long, DmRemapPlan.BlockPlan> entry : plan.blocks().entrySet()) {
      byte[] bytes = new byte[blockBytes];
      LostBits lost = entry.getValue().lost();
      for (int sector = 0; sector < blockBytes / SECTOR_BYTES; sector++) {
        Long fromSpare = entry.getValue().fromSpare().get(sector);
        long offsetBytes =
            fromSpare == null
                ? entry.getKey() * blockBytes + (long) sector * SECTOR_BYTES
                : fromSpare * SECTOR_BYTES;
        if (lost.isLost(sector)
            || (fromSpare == null && offsetBytes + SECTOR_BYTES > main.sizeBytes())) {
          continue;
        }
        if (!read(fromSpare == null ? main : spare, offsetBytes, bytes, sector)) {
          lost = lost.plus(LostBits.range(sector, 1));
        }
      }
      blocks.add(new Creation.Imported(entry.getKey(), bytes, lost));
    }
    return blocks;
  }

  private static boolean read(OfflineDisk disk, long offsetBytes, byte[] into, int sector) {
    int unit = disk.disk().geometry().logicalSectorBytes();
    long from = offsetBytes / unit * unit;
    try {
      ByteBuffer bytes = disk.read(from, Math.max(unit, SECTOR_BYTES));
      bytes.get(Math.toIntExact(offsetBytes - from), into, sector * SECTOR_BYTES, SECTOR_BYTES);
      return true;
    } catch (IOException unreadable) {
      return false;
    }
  }
}

package io.spared.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.zip.CRC32C;

/**
 * Feeds the readers with mutations of golden files, with the same under a right checksum again (so
 * that what lies behind the checksum is reached), with random bytes, and with whole damaged copies.
 * Nothing but a {@link FormatException} may come out of a reader, nothing damaged may be accepted,
 * and no input may make it allocate more than a bound.
 */
public final class FormatFuzzer {
  /** Far more than a header of the largest size needs, far less than a length field could ask. */
  private static final long ALLOCATED_BYTES_MAX = 8L << 20;

  private final SplittableRandom random;
  private final Map<String, byte[]> golden;
  private final List<String> names;
  private final TestDevice device;
  private final Map<Position, String> states = new HashMap<>();
  private final com.sun.management.ThreadMXBean threads =
      (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
  private long inputs;
  private long accepted;
  private long copies;

  public FormatFuzzer(long seed) throws FormatException, IOException {
    random = new SplittableRandom(seed);
    golden = GoldenFiles.all();
    names = new ArrayList<>(golden.keySet());
    device = new TestDevice(1, 3, new CopyLayout(8 * 4096, 8 * 4096)).writeAll();
    states.put(device.image.position(), device.entries().remaps().toString());
    for (int i = 0; i < 4; i++) {
      device.commit(
          java.util.Set.of(0, 1, 2), new Change.Remapped(i, 0, 10 + i, new LostBits(i, 0)));
      states.put(device.image.position(), device.entries().remaps().toString());
    }
  }

  /** Goes on until it is over; throws an AssertionError with what it found. */
  public void run(BooleanSupplier over) {
    while (!over.getAsBoolean()) {
      if (random.nextInt(50) == 0) {
        damagedCopy();
      } else {
        frame();
      }
      inputs++;
    }
  }

  private void frame() {
    String name = names.get(random.nextInt(names.size()));
    byte[] whole = golden.get(name);
    if (whole == null) {
      throw new IllegalStateException(name);
    }
    byte[] bytes = whole.clone();
    boolean resealed = false;
    switch (random.nextInt(4)) {
      case 0 -> random.nextBytes(bytes);
      case 1 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      default -> {
        mutate(bytes);
        resealed = random.nextBoolean();
        if (resealed) {
          reseal(ByteBuffer.wrap(bytes));
        }
      }
    }
    long before = threads.getCurrentThreadAllocatedBytes();
    boolean taken;
    try {
      taken = accepts(name, bytes);
    } catch (RuntimeException e) {
      throw new AssertionError(name + ": a reader threw, input " + inputs, e);
    }
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    if (allocated > ALLOCATED_BYTES_MAX) {
      throw new AssertionError(
          name + ": a reader allocated " + allocated + " bytes for input " + inputs);
    }
    if (taken) {
      accepted++;
      if (!resealed && !Arrays.equals(bytes, whole)) {
        throw new AssertionError(name + ": a damaged one was accepted, input " + inputs);
      }
    }
  }

  private void mutate(byte[] bytes) {
    int count = 1 + random.nextInt(4);
    for (int i = 0; i < count; i++) {
      // Most of a frame is zeros: what matters is at its beginning.
      int at = random.nextInt(random.nextInt(3) == 0 ? bytes.length : Math.min(600, bytes.length));
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> bytes[at] = (byte) 0xFF;
        default -> {
          int from = random.nextInt(bytes.length);
          int length = Math.min(random.nextInt(64), bytes.length - Math.max(at, from));
          System.arraycopy(bytes, from, bytes, at, Math.max(0, length));
        }
      }
    }
  }

  /** The checksum made right again, as far as the claimed length reaches. */
  static void reseal(ByteBuffer bytes) {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.limit() < 64) {
      return;
    }
    int length = Math.clamp(bytes.getInt(12), 64, bytes.limit());
    CRC32C crc = new CRC32C();
    crc.update(bytes.slice(0, 8));
    crc.update(bytes.slice(12, length - 12));
    bytes.putInt(8, (int) crc.getValue());
  }

  /** Whether the reader of this structure takes the bytes. */
  static boolean accepts(String name, byte[] input) {
    ByteBuffer bytes = ByteBuffer.wrap(input);
    try {
      Seal seal =
          Seal.read(ByteBuffer.wrap(GoldenFilesHolder.SEAL.clone()), GoldenFiles.superblock(), 1);
      long checkpointAt = GoldenFiles.AT + GoldenFiles.LAYOUT.checkpointOffsetBytes(1);
      switch (name) {
        case "superblock" -> Superblock.read(bytes);
        case "seal" -> Seal.read(bytes, GoldenFiles.superblock(), 1);
        case "log-record" ->
            LogRecords.read(bytes, 0, seal, GoldenFiles.AT + GoldenFiles.LAYOUT.logOffsetBytes(1));
        case "spare-table" -> SpareTable.read(bytes, 1, 32L << 20, 64L << 20);
        case "label" -> MainLabel.read(bytes, 2L << 30);
        default -> {
          int previous = bytes.limit() < 24 ? 0 : bytes.order(ByteOrder.LITTLE_ENDIAN).getInt(20);
          long at = checkpointAt + (name.equals("chunk-header") ? 0 : 4096);
          at += name.equals("chunk-entries") ? 4096 : 0;
          Checkpoints.Chunk chunk = Checkpoints.read(bytes, 0, seal, at, previous);
          switch (chunk.holds()) {
            case HEADER -> Checkpoints.header(bytes, 0, chunk);
            case RETIRED -> Checkpoints.retired(bytes, 0, chunk, change -> {});
            case ENTRIES ->
                Checkpoints.entries(
                    bytes, 0, chunk, GoldenFiles.GEOMETRY, new SortedRemapEntries());
          }
        }
      }
      return true;
    } catch (FormatException e) {
      return false;
    }
  }

  private static final class GoldenFilesHolder {
    static final byte[] SEAL = seal();

    private static byte[] seal() {
      try {
        byte[] bytes = GoldenFiles.all().get("seal");
        if (bytes == null) {
          throw new IllegalStateException("no seal");
        }
        return bytes;
      } catch (FormatException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** One copy of a device, damaged somewhere: it is read as a state that was, or not at all. */
  private void damagedCopy() {
    copies++;
    TestDisk disk = device.disks.get(0).copy();
    CopyPlace place = device.place(random.nextInt(3));
    int hits = 1 + random.nextInt(3);
    for (int i = 0; i < hits; i++) {
      long at = place.offsetBytes() + random.nextLong(device.placement().layout().copyBytes());
      if (random.nextInt(4) == 0) {
        disk.makeUnreadable(at);
      } else {
        disk.flipBit(at, random.nextInt(8));
      }
    }
    CopyReading reading =
        DiskBytes.drive(
                new CopyReader(
                    TestDevice.DEVICE, TestDevice.spareId(0), place.offsetBytes(), 128 * 1024),
                disk)
            .result();
    for (AreaReading area : reading.areas()) {
      SortedRemapEntries entries = new SortedRemapEntries();
      TableLoader loader =
          DiskBytes.drive(
              new TableLoader(reading.superblock().orElseThrow(), area, entries, 128 * 1024), disk);
      Optional<String> failure = loader.failure();
      if (failure.isEmpty()
          && !entries.remaps().toString().equals(states.get(loader.result().position()))) {
        throw new AssertionError(
            "a damaged copy was read as a state that never was, input " + inputs);
      }
    }
  }

  @Override
  public String toString() {
    return "format fuzzer: "
        + inputs
        + " inputs, "
        + copies
        + " of them whole copies, "
        + accepted
        + " accepted (all of them whole or under a right checksum)";
  }
}

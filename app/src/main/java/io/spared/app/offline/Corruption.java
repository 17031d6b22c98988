package io.spared.app.offline;

import io.spared.ffi.world.World;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.DeviceImage;
import io.spared.format.SpareMember;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** Damages test disks on purpose, so that people can see repair at work. */
public final class Corruption {
  private Corruption() {}

  /** Overwrites the given copies of a device with noise; says which. */
  public static List<String> copies(
      Survey survey, DeviceImage image, List<Integer> numbers, World world)
      throws OfflineException, IOException {
    List<String> done = new ArrayList<>();
    for (CopyPlace place : image.placement().orElseThrow().places()) {
      if (!numbers.contains(place.copy())) {
        continue;
      }
      SpareMember spare = image.spares().get(place.spare());
      Optional<OfflineDisk> disk = spare == null ? Optional.empty() : survey.spare(spare.spareId());
      if (disk.isEmpty()) {
        throw new OfflineException(
            "copy " + place.copy() + " stands on a spare that is not among the disks");
      }
      CopyLayout layout = image.placement().orElseThrow().layout();
      noise(disk.get(), place.offsetBytes(), CopyLayout.UNIT_BYTES, world);
      for (int area = 0; area < 2; area++) {
        noise(
            disk.get(),
            place.offsetBytes() + layout.areaOffsetBytes(area),
            2 * CopyLayout.UNIT_BYTES,
            world);
      }
      done.add("copy " + place.copy() + " at byte " + place.offsetBytes() + " is destroyed");
    }
    return done;
  }

  /** Overwrites units of 4 KiB of a disk with noise, by their numbers. */
  public static List<String> units(OfflineDisk disk, List<Long> numbers, World world)
      throws IOException {
    List<String> done = new ArrayList<>();
    for (long number : new TreeSet<>(numbers)) {
      noise(disk, number * CopyLayout.UNIT_BYTES, CopyLayout.UNIT_BYTES, world);
      done.add("4 KiB at byte " + number * CopyLayout.UNIT_BYTES + " are destroyed");
    }
    return done;
  }

  /** So many of a disk's units of 4 KiB, anywhere. */
  public static List<Long> choose(OfflineDisk disk, long count, World world) {
    long units = disk.sizeBytes() / CopyLayout.UNIT_BYTES;
    TreeSet<Long> chosen = new TreeSet<>();
    while (chosen.size() < Math.min(count, units)) {
      chosen.add(Math.floorMod(world.random().nextLong(), units));
    }
    return List.copyOf(chosen);
  }

  private static void noise(OfflineDisk disk, long offsetBytes, int lengthBytes, World world)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      bytes.putInt(world.random().nextInt());
    }
    disk.write(offsetBytes, bytes.flip());
  }
}

package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceCommand;
import io.spared.format.DiskBytes;
import io.spared.format.ExtentKind;
import io.spared.format.OfflineDevice;
import io.spared.format.SpareTable;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A spare's own tables, and what they say is lent, under a device that serves. */
@Timeout(60)
final class DeviceSpareTest {
  private static final Duration SOON = Duration.ofSeconds(5);

  @Test
  void tablesDestroyedInAllThreePlacesAreWrittenAnewWhileItServes() {
    try (HostRig rig = new HostRig(41, "a")) {
      HostRig.Device a = rig.servingAll();
      SimDrive spare = a.setup.spares.getFirst();
      List<SpareTable.Lent> lent = table(spare).table().orElseThrow().lent();
      for (int copy = 0; copy < SpareTable.COPIES; copy++) {
        overwrite(spare, copy);
      }
      assertThat(table(spare).table()).isEmpty();

      rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));

      assertThat(rig.until(() -> table(spare).stale().isEmpty() && isWhole(spare), SOON)).isTrue();
      assertThat(table(spare).table().orElseThrow().lent()).isEqualTo(lent);
      rig.restart(a);
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void oneDamagedTableIsFoundAndMendedByItselfWithinTheHour() {
    try (HostRig rig = new HostRig(42, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.quiet(a);
      SimDrive spare = a.setup.spares.getFirst();
      overwrite(spare, 1);
      assertThat(rig.until(() -> table(spare).stale().isEmpty(), Duration.ofMinutes(61))).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void whereAnothersTableStandsNothingIsWrittenAnyMore() {
    try (HostRig rig = new HostRig(43, "a")) {
      HostRig.Device a = rig.servingAll();
      SimDrive spare = a.setup.spares.getFirst();
      long bytes = spare.geometry().sizeBytes();
      SpareTable anothers = new SpareTable(new UUID(9, 9), 1, bytes, List.of());
      for (int copy = 0; copy < SpareTable.COPIES; copy++) {
        write(spare, anothers, copy);
      }

      rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));
      rig.runFor(SOON);

      assertThat(table(spare).table()).contains(anothers);
    }
  }

  @Test
  void whatWasLentForACommitThatWasNeverMadeGoesBackAndNothingElse() {
    long extra = 1 << 20;
    try (HostRig rig = new HostRig(44, setup -> lendMore(setup, extra), "a")) {
      HostRig.Device a = rig.servingAll();
      SimDrive spare = a.setup.spares.getFirst();

      assertThat(rig.until(() -> lentBytes(spare, a.setup.deviceId) == known(a), SOON)).isTrue();

      assertThat(lentBytes(spare, new UUID(7, 7)))
          .as("lent to a device nobody knows")
          .isEqualTo(extra);
      rig.badSectorsOnMain(a, 50);
      rig.runFor(SOON);
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      rig.restart(a);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  /** A crash between lending and committing left one extent, and an unknown device another. */
  private static void lendMore(CoreSetup setup, long bytes) {
    SimDrive spare = setup.spares.getFirst();
    SpareTable before = table(spare).table().orElseThrow();
    long at = before.lent().stream().mapToLong(SpareTable.Lent::endBytes).max().orElseThrow();
    List<SpareTable.Lent> lent = new ArrayList<>(before.lent());
    lent.add(new SpareTable.Lent(setup.deviceId, at, bytes, ExtentKind.DATA));
    lent.add(new SpareTable.Lent(new UUID(7, 7), at + bytes, bytes, ExtentKind.DATA));
    SpareTable after =
        new SpareTable(before.spareId(), before.version() + 1, before.diskBytes(), lent);
    for (int copy = 0; copy < SpareTable.COPIES; copy++) {
      write(spare, after, copy);
    }
  }

  private static long known(HostRig.Device device) {
    return device.setup.born(new io.spared.format.SortedRemapEntries()).extents().stream()
        .filter(extent -> extent.spare() == 0)
        .mapToLong(io.spared.format.Extent::lengthBytes)
        .sum();
  }

  private static long lentBytes(SimDrive spare, UUID device) {
    return table(spare).table().stream()
        .flatMap(table -> table.lent().stream())
        .filter(lent -> lent.deviceId().equals(device))
        .mapToLong(SpareTable.Lent::lengthBytes)
        .sum();
  }

  private static void write(SimDrive spare, SpareTable table, int copy) {
    ByteBuffer written = table.write(copy);
    byte[] raw = new byte[written.remaining()];
    written.get(raw);
    spare.poke(SpareTable.offsetBytes(copy, spare.geometry().sizeBytes()), raw);
  }

  private static void overwrite(SimDrive spare, int copy) {
    byte[] noise = new byte[4096];
    Arrays.fill(noise, (byte) 0x5A);
    spare.poke(SpareTable.offsetBytes(copy, spare.geometry().sizeBytes()), noise);
  }

  private static boolean isWhole(SimDrive spare) {
    return table(spare).table().isPresent();
  }

  private static SpareTable.Choice table(SimDrive spare) {
    return OfflineDevice.readSpareTable(
        new DiskBytes() {
          @Override
          public long sizeBytes() {
            return spare.geometry().sizeBytes();
          }

          @Override
          public ByteBuffer read(long offsetBytes, int lengthBytes) {
            return ByteBuffer.wrap(spare.peek(offsetBytes, lengthBytes));
          }

          @Override
          public void write(long offsetBytes, ByteBuffer bytes) {
            throw new UnsupportedOperationException("only read here");
          }
        });
  }
}

package io.spared.queue;

import static io.spared.queue.QueueRig.BLOCK;
import static io.spared.queue.QueueRig.SECTOR;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.IoBuffer;
import io.spared.sim.SimDrive;
import io.spared.sim.SimPages;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Requests whose data are in the kernel's pages, which only disks can see. */
class KernelPagesTest {
  private static final int PER_BLOCK = BLOCK / SECTOR;

  private final QueueRig rig = new QueueRig(11);
  private final QueueRig.Client client = rig.open();

  private static byte[] pattern(int sectors, int seed) {
    byte[] bytes = new byte[sectors * SECTOR];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i / SECTOR + seed);
    }
    return bytes;
  }

  private DeviceRequest write(long sector, byte[] pages) {
    IoBuffer buffer = SimPages.register(ByteBuffer.wrap(pages));
    client.pages = pages;
    DeviceRequest request = client.request().write(sector * SECTOR, pages.length, buffer, 0, false);
    client.queue.submit(request);
    return request;
  }

  private DeviceRequest read(long sector, byte[] pages) {
    IoBuffer buffer = SimPages.register(ByteBuffer.wrap(pages));
    DeviceRequest request = client.request().read(sector * SECTOR, pages.length, buffer, 0);
    client.queue.submit(request);
    return request;
  }

  private static byte[] part(byte[] bytes, int fromSector, int sectors) {
    return Arrays.copyOfRange(bytes, fromSector * SECTOR, (fromSector + sectors) * SECTOR);
  }

  @Test
  void theyAreCutByOffsetAndGoToTheirPlacesAndBack() {
    rig.move(2, 1, 5, 0);
    byte[] written = pattern(3 * PER_BLOCK, 1);
    write(PER_BLOCK, written);
    rig.run();
    assertThat(rig.main.peek(BLOCK, BLOCK)).isEqualTo(part(written, 0, PER_BLOCK));
    assertThat(rig.drive(1).peek(5L * BLOCK, BLOCK)).isEqualTo(part(written, PER_BLOCK, PER_BLOCK));
    assertThat(rig.main.peek(3L * BLOCK, BLOCK)).isEqualTo(part(written, 2 * PER_BLOCK, PER_BLOCK));
    assertThat(rig.main.peek(2L * BLOCK, BLOCK)).containsOnly(0);
    byte[] read = new byte[written.length];
    DeviceRequest back = read(PER_BLOCK, read);
    rig.run();
    assertThat(back.errno()).isNull();
    assertThat(read).isEqualTo(written);
    assertThat(client.broughtToMemory).isZero();
  }

  @Test
  void whatTheRelocatorWritesIsBroughtToMemoryOnce() {
    rig.table.putPending(2, 0b1, 0);
    rig.table.putPending(3, 0b1, 0);
    rig.table.publish();
    byte[] written = pattern(4 * PER_BLOCK, 3);
    write(PER_BLOCK, written);
    rig.run();
    var waiting = rig.reported(QueueReport.WriteWaits.class);
    assertThat(waiting).hasSize(2);
    assertThat(waiting.get(0).write().bytes()).isEqualTo(part(written, PER_BLOCK, PER_BLOCK));
    assertThat(waiting.get(1).write().bytes()).isEqualTo(part(written, 2 * PER_BLOCK, PER_BLOCK));
    assertThat(client.broughtToMemory).isEqualTo(1);
    assertThat(rig.main.peek(4L * BLOCK, BLOCK)).isEqualTo(part(written, 3 * PER_BLOCK, PER_BLOCK));
  }

  @Test
  void aWriteThatCannotBeBroughtToMemoryFailsThereAndIsNotMoved() {
    rig.table.putPending(2, 0b1, 0);
    rig.table.publish();
    client.bringsToMemory = false;
    DeviceRequest request = write(PER_BLOCK, pattern(2 * PER_BLOCK, 3));
    rig.run();
    assertThat(rig.reported(QueueReport.WriteWaits.class)).isEmpty();
    assertThat(request.errno()).isEqualTo(Errno.EIO);
    assertThat(request.badOffsetBytes(0)).isEqualTo(2L * BLOCK);
    assertThat(request.badLengthBytes(0)).isEqualTo(BLOCK);
  }

  @Test
  void twoDisksGetTheSameBytesThoughTheProgramChangesItsPagesMeanwhile() {
    SimDrive next = new SimDrive(rig.world, "next", (long) QueueRig.BLOCKS * BLOCK, SECTOR);
    Disk nextDisk = QueueRig.open("next", next);
    WriteIntents intents = new WriteIntents((long) QueueRig.BLOCKS * BLOCK);
    intents.becameDurable(0, 1);
    client.queue.handle(
        new QueueCommand.SetMirror(
            new Mirror(1, nextDisk, 8L * BLOCK, 8L * BLOCK, 8L * BLOCK, intents)));
    assertThat(client.queue.takesPages()).isFalse();
    next.hang();
    byte[] pages = pattern(PER_BLOCK, 9);
    DeviceRequest request = write(0, pages);
    rig.run();
    Arrays.fill(pages, (byte) 0x55);
    next.resume();
    rig.run(Duration.ofSeconds(5));
    assertThat(request.errno()).isNull();
    assertThat(next.peek(0, BLOCK)).isEqualTo(rig.main.peek(0, BLOCK));
    assertThat(client.broughtToMemory).isEqualTo(1);
  }

  @Test
  void aDiskThatIsNotReachedThroughTheRingGetsWritesFromMemory() {
    assertThat(client.queue.takesPages()).isTrue();
    rig.drive(1).refusePages();
    assertThat(client.queue.takesPages()).isFalse();
    rig.move(2, 1, 5, 0);
    byte[] written = pattern(PER_BLOCK, 3);
    DeviceRequest request = write(2 * PER_BLOCK, written);
    rig.run();
    assertThat(request.errno()).isNull();
    assertThat(rig.drive(1).peek(5L * BLOCK, BLOCK)).isEqualTo(written);
    assertThat(client.broughtToMemory).isEqualTo(1);
  }

  @Test
  void pagesAreHeldUntilADiskThatHangsHasLetGo() {
    rig.main.hang();
    DeviceRequest request = write(0, pattern(PER_BLOCK, 3));
    IoBuffer pages = Objects.requireNonNull(request.buffer());
    rig.run(Duration.ofSeconds(40));
    assertThat(request.errno()).isEqualTo(Errno.ETIMEDOUT);
    assertThat(pages.isShared()).isTrue();
    rig.main.resume();
    rig.run(Duration.ofSeconds(5));
    assertThat(pages.isShared()).isFalse();
  }
}

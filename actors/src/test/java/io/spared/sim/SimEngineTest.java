package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class SimEngineTest {
  private static final int SECTOR = 512;

  private final SimWorld world = new SimWorld(7);
  private final SimEngine engine = new SimEngine(world);
  private final SimDrive drive = new SimDrive(world, "main", 1 << 20, SECTOR);
  private final DiskAddress address = new DiskAddress.OfPath(Path.of("/dev/main"));
  private final SimOpener opener = new SimOpener().plug(address, drive);
  private int signals;
  private final Completions completions = new Completions(() -> signals++);

  private DiskPort port() {
    try {
      return opener.open(address, DiskOpener.Mode.OWN).attach(engine);
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
  }

  private IoBuffer buffer(int bytes, int fill) {
    IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(bytes));
    for (int i = 0; i < bytes; i++) {
      buffer.bytes().put(i, (byte) fill);
    }
    return buffer;
  }

  private IoRequest write(long offset, int bytes, int fill) {
    return new IoRequest(completions)
        .transfer(Operation.WRITE, offset, buffer(bytes, fill), 0, bytes, in(1_000));
  }

  private long in(long millis) {
    return engine.nanoTime() + millis * 1_000_000;
  }

  private List<Outcome> turnUntilQuiet() {
    List<Outcome> outcomes = new ArrayList<>();
    while (engine.turn(true) > 0) {
      for (IoRequest r = completions.next(); r != null; r = completions.next()) {
        outcomes.add(completions.lastOutcome());
      }
    }
    return outcomes;
  }

  @Test
  void aWriteIsReadBack() {
    DiskPort port = port();
    port.submit(write(4096, 8192, 5));
    assertThat(turnUntilQuiet()).containsExactly(Outcome.DONE);
    IoBuffer into = buffer(8192, 0);
    IoRequest read =
        new IoRequest(completions).transfer(Operation.READ, 4096, into, 0, 8192, in(9));
    port.submit(read);
    assertThat(turnUntilQuiet()).containsExactly(Outcome.DONE);
    assertThat(into.bytes().get(0)).isEqualTo((byte) 5);
    assertThat(into.bytes().get(8191)).isEqualTo((byte) 5);
    assertThat(signals).isEqualTo(2);
  }

  @Test
  void anUnflushedWriteMayBeLostInAPowerCutSectorBySectorButAFlushedOneIsNot() {
    boolean lost = false;
    boolean kept = false;
    boolean torn = false;
    for (int round = 0; round < 200; round++) {
      DiskPort port = port();
      port.submit(write(0, 4096, 1));
      turnUntilQuiet();
      port.submit(new IoRequest(completions).plain(Operation.FLUSH, 0, 0, in(1_000)));
      turnUntilQuiet();
      port.submit(write(0, 4096, 2));
      turnUntilQuiet();
      drive.powerCut();
      byte[] after = drive.peek(0, 4096);
      int twos = 0;
      for (int at = 0; at < 4096; at += SECTOR) {
        assertThat(after[at]).isIn((byte) 1, (byte) 2);
        twos += after[at] == 2 ? 1 : 0;
      }
      lost |= twos == 0;
      kept |= twos == 8;
      torn |= twos > 0 && twos < 8;
    }
    assertThat(lost && kept && torn).isTrue();
  }

  @Test
  void aDurableWriteSurvivesEveryPowerCutWithoutAFlush() {
    for (int round = 0; round < 100; round++) {
      DiskPort port = port();
      port.submit(write(0, 4096, round).durable());
      turnUntilQuiet();
      drive.powerCut();
      assertThat(drive.peek(0, 1)[0]).isEqualTo((byte) round);
      assertThat(drive.peek(4095, 1)[0]).isEqualTo((byte) round);
    }
  }

  @Test
  void aFlushSaysNothingAboutWritesThatWereNotYetAcknowledgedWhenItWasAsked() {
    boolean lost = false;
    for (int round = 0; round < 300; round++) {
      DiskPort port = port();
      drive.poke(0, new byte[SECTOR]);
      port.submit(new IoRequest(completions).plain(Operation.FLUSH, 0, 0, in(1_000)));
      port.submit(write(0, SECTOR, 9));
      turnUntilQuiet();
      drive.powerCut();
      lost |= drive.peek(0, 1)[0] == 0;
    }
    assertThat(lost).isTrue();
  }

  @Test
  void aRequestToAHangingDiskTimesOutIsHeldAndIsReleasedWhenTheDiskAnswers() {
    DiskPort port = port();
    drive.hang();
    IoRequest request = write(0, 4096, 3);
    port.submit(request);
    long before = engine.nanoTime();
    while (engine.held() == 0 && engine.inFlight() > 0) {
      engine.turn(true);
    }
    assertThat(engine.nanoTime() - before).isEqualTo(1_000_000_000L);
    if (request.outcome() == Outcome.TIMED_OUT && request.held()) {
      drive.resume();
      assertThat(turnUntilQuiet()).containsExactly(Outcome.TIMED_OUT, Outcome.RELEASED);
      assertThat(drive.peek(0, 1)[0]).isEqualTo((byte) 3);
    }
    assertThat(engine.held()).isZero();
    assertThat(engine.inFlight()).isZero();
  }

  @Test
  void aBadSectorFailsReadsUntilItIsWritten() {
    DiskPort port = port();
    drive.addDefect(3, 1, SimDrive.Defect.UNREADABLE_UNTIL_WRITTEN);
    IoRequest read =
        new IoRequest(completions).transfer(Operation.READ, 0, buffer(4096, 0), 0, 4096, in(99));
    port.submit(read);
    assertThat(turnUntilQuiet()).containsExactly(Outcome.FAILED);
    assertThat(read.errno()).isIn(Errno.EIO, Errno.ENODATA, Errno.EILSEQ);
    port.submit(write(3 * SECTOR, SECTOR, 1));
    turnUntilQuiet();
    port.submit(read.transfer(Operation.READ, 0, buffer(4096, 0), 0, 4096, in(99)));
    assertThat(turnUntilQuiet()).containsExactly(Outcome.DONE);
  }

  @Test
  void aDiskThatWentAwayFailsRequestsAndOldHandlesStayDead() {
    DiskPort port = port();
    drive.disappear();
    IoRequest request = write(0, 512, 1);
    port.submit(request);
    assertThat(turnUntilQuiet()).containsExactly(Outcome.FAILED);
    drive.reappear();
    port.submit(request.transfer(Operation.WRITE, 0, buffer(512, 1), 0, 512, in(99)));
    assertThat(turnUntilQuiet()).containsExactly(Outcome.FAILED);
    DiskPort again = port();
    again.submit(request.transfer(Operation.WRITE, 0, buffer(512, 1), 0, 512, in(99)));
    assertThat(turnUntilQuiet()).containsExactly(Outcome.DONE);
  }

  @Test
  void aDriveWithRequestsOfADeadProcessCannotBeOwnedUntilTheyEnd() throws Exception {
    DiskPort port = port();
    drive.hang();
    port.submit(write(0, 512, 1));
    engine.close();
    drive.ownerDied();
    DiskException refused = null;
    try {
      opener.open(address, DiskOpener.Mode.OWN);
    } catch (DiskException e) {
      refused = e;
    }
    assertThat(refused).isNotNull();
    assertThat(Objects.requireNonNull(refused).reason()).isEqualTo(DiskException.Reason.BUSY);
    drive.resume();
    world.runFor(java.time.Duration.ofSeconds(1));
    opener.open(address, DiskOpener.Mode.OWN).close();
    assertThat(drive.peek(0, 1)[0]).isEqualTo((byte) 1);
  }

  @Test
  void buffersComeBackWhenNobodyHoldsThem() {
    DiskPort port = port();
    IoBuffer buffer = buffer(4096, 1);
    port.submit(new IoRequest(completions).transfer(Operation.WRITE, 0, buffer, 0, 4096, in(100)));
    buffer.release();
    assertThat(engine.buffersTaken()).isEqualTo(1);
    turnUntilQuiet();
    assertThat(engine.buffersTaken()).isZero();
  }

  @Test
  void theSameSeedGivesTheSameRun() {
    assertThat(run(3)).isEqualTo(run(3)).isNotEqualTo(run(4));
  }

  private static long run(long seed) {
    SimWorld world = new SimWorld(seed);
    SimEngine engine = new SimEngine(world);
    SimDrive drive = new SimDrive(world, "d", 1 << 20, SECTOR);
    drive.faults().slow = 0.1;
    drive.faults().newDefect = 0.05;
    Completions completions = new Completions(() -> {});
    DiskPort port =
        drive
            .open(new DiskAddress.OfPath(Path.of("/d")), DiskOpener.Mode.OWN, new SimOpener())
            .attach(engine);
    SimRandom random = world.random().fork();
    for (int i = 0; i < 500; i++) {
      IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(4096));
      port.submit(
          new IoRequest(completions)
              .transfer(
                  random.nextBoolean() ? Operation.READ : Operation.WRITE,
                  random.below(256) * 4096L,
                  buffer,
                  0,
                  4096,
                  engine.nanoTime() + 50_000_000));
      buffer.release();
      engine.turn(random.nextBoolean());
      while (completions.next() != null) {}
    }
    while (engine.turn(true) > 0) {
      while (completions.next() != null) {}
    }
    return world.trace().hash();
  }
}

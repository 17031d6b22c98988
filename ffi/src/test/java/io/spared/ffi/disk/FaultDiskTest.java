package io.spared.ffi.disk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.FaultRule.Effect;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.engine.FileEngine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.ffi.engine.Owner;
import io.spared.ffi.world.World;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FaultDiskTest {
  private final FaultPlans plans = new FaultPlans(42);
  private final DiskOpener opener = new FaultDiskOpener(new SystemDiskOpener(), plans);
  private final DiskAddress.OfFault address =
      new DiskAddress.OfFault(new DiskAddress.OfMemory(1 << 20, 512, ""));
  private FileEngine engine;
  private Owner owner;
  private Disk disk;
  private DiskPort port;
  private FaultPlan plan;

  @BeforeEach
  void open() throws Exception {
    engine =
        Engines.open(
            Engines.Choice.AUTOMATIC,
            World.real().clock(),
            EngineSettings.DEFAULT.withSlab(1 << 20, 4 << 20));
    owner = new Owner(engine);
    disk = opener.open(address, DiskOpener.Mode.OWN);
    port = disk.attach(engine);
    plan = plans.of(address);
  }

  @AfterEach
  void close() {
    port.detach();
    disk.close();
    engine.close();
  }

  private IoRequest submit(IoRequest request) {
    port.submit(request);
    return request;
  }

  private void write(long offset, int bytes, int value) {
    IoBuffer buffer = owner.buffer(bytes);
    for (int i = 0; i < bytes; i++) {
      buffer.bytes().put(i, (byte) value);
    }
    owner.done(submit(owner.transfer(Operation.WRITE, offset, buffer, bytes)));
    buffer.release();
  }

  private byte[] read(long offset, int bytes) {
    IoBuffer buffer = owner.buffer(bytes);
    owner.done(submit(owner.transfer(Operation.READ, offset, buffer, bytes)));
    byte[] content = new byte[bytes];
    buffer.bytes().get(0, content);
    buffer.release();
    return content;
  }

  @Test
  void withoutRulesItIsTheDiskInside() {
    write(4096, 8192, 7);
    assertThat(read(4096, 8192)).containsOnly(7);
    owner.done(submit(owner.plain(Operation.FLUSH, 0, 0)));
    owner.done(submit(owner.plain(Operation.WRITE_ZEROES, 4096, 4096)));
    assertThat(read(4096, 4096)).containsOnly(0);
  }

  @Test
  void aBadRangeFailsReadsThatTouchItUntilItIsWritten() {
    plan.add(FaultRule.badRange(8192, 1024));
    write(0, 4096, 1);
    IoBuffer buffer = owner.buffer(16384);
    IoRequest request = submit(owner.transfer(Operation.READ, 0, buffer, 16384));
    owner.awaitOne(request, Outcome.FAILED);
    assertThat(request.errno()).isEqualTo(Errno.ENODATA);
    assertThat(read(0, 8192)).hasSize(8192);
    write(8192, 512, 2);
    assertThat(read(8192, 512)).containsOnly(2);
    owner.awaitOne(submit(owner.transfer(Operation.READ, 8704, buffer, 512)), Outcome.FAILED);
    write(8704, 512, 3);
    assertThat(read(8192, 1024)).contains(2, 3);
  }

  @Test
  void rulesStrikeByOperationRateAndTrigger() {
    plan.add(FaultRule.of(new Effect.Fail(Errno.EIO), Operation.FLUSH).trigger(1, 2));
    IoRequest flush = owner.request();
    Outcome[] expected = {Outcome.DONE, Outcome.FAILED, Outcome.FAILED, Outcome.DONE};
    for (Outcome outcome : expected) {
      flush.plain(Operation.FLUSH, 0, 0, owner.soon());
      owner.awaitOne(submit(flush), outcome);
    }
    assertThat(plan.struck()).isEqualTo(2);
    long id = plan.add(FaultRule.ofAll(new Effect.Fail(Errno.ENXIO)).atRate(0.5));
    int failed = 0;
    for (int i = 0; i < 200; i++) {
      flush.plain(Operation.FLUSH, 0, 0, owner.soon());
      submit(flush);
      owner.await(expected.length + i + 1);
      failed += flush.outcome() == Outcome.FAILED ? 1 : 0;
    }
    assertThat(failed).isBetween(60, 140);
    assertThat(plan.remove(id)).isTrue();
  }

  @Test
  void aDelayedRequestEndsAfterItsTime() {
    plan.add(FaultRule.of(new Effect.Delay(Duration.ofMillis(20)), Operation.READ));
    long start = engine.nanoTime();
    read(0, 512);
    assertThat(engine.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
  }

  @Test
  void aDiskThatNeverAnswersTimesOutHoldsTheBufferAndReleasesItWhenItAnswers() {
    plan.add(FaultRule.ofAll(new Effect.Hang()));
    IoBuffer buffer = owner.buffer(4096);
    IoRequest request =
        owner
            .request()
            .transfer(Operation.WRITE, 0, buffer, 0, 4096, engine.nanoTime() + 20_000_000);
    submit(request);
    buffer.release();
    owner.awaitOne(request, Outcome.TIMED_OUT);
    assertThat(request.held()).isTrue();
    assertThat(buffer.isFree()).isFalse();
    assertThat(engine.held()).isEqualTo(1);
    plan.clear();
    owner.awaitOne(request, Outcome.RELEASED);
    assertThat(buffer.isFree()).isTrue();
    assertThat(engine.held()).isZero();
  }

  @Test
  void aRequestThatHangsCanBeCancelledAndIsHeld() {
    plan.add(FaultRule.ofAll(new Effect.Hang()));
    IoRequest request = submit(owner.plain(Operation.FLUSH, 0, 0));
    engine.turn(false);
    port.cancel(request);
    owner.awaitOne(request, Outcome.CANCELLED);
    assertThat(request.held()).isTrue();
    plan.releaseHanging();
    owner.awaitOne(request, Outcome.RELEASED);
  }

  @Test
  void aTornWriteMovesItsFirstSectorsAndFails() {
    write(0, 4096, 1);
    plan.add(FaultRule.of(new Effect.Tear(1024, Errno.EIO), Operation.WRITE).trigger(0, 1));
    IoBuffer buffer = owner.buffer(4096);
    for (int i = 0; i < 4096; i++) {
      buffer.bytes().put(i, (byte) 2);
    }
    IoRequest request = submit(owner.transfer(Operation.WRITE, 0, buffer, 4096));
    owner.awaitOne(request, Outcome.FAILED);
    byte[] content = read(0, 4096);
    assertThat(content[1023]).isEqualTo((byte) 2);
    assertThat(content[1024]).isEqualTo((byte) 1);
  }

  @Test
  void aPowerCutLosesSomeUnflushedSectorsAndNoFlushedOne() throws Exception {
    reopen(() -> plan.keepUnflushed(true));
    write(0, 65536, 1);
    owner.done(submit(owner.plain(Operation.FLUSH, 0, 0)));
    write(0, 32768, 2);
    plan.cutPower();
    IoRequest whileOff = submit(owner.plain(Operation.FLUSH, 0, 0));
    owner.awaitOne(whileOff, Outcome.FAILED);
    assertThat(whileOff.errno()).isEqualTo(Errno.ENODEV);
    plan.restorePower();
    byte[] content = read(0, 65536);
    int lost = 0;
    for (int sector = 0; sector < 128; sector++) {
      byte value = content[sector * 512];
      for (int i = 1; i < 512; i++) {
        assertThat(content[sector * 512 + i]).isEqualTo(value);
      }
      if (sector >= 64) {
        assertThat(value).isEqualTo((byte) 1);
      } else {
        assertThat(value).isIn((byte) 1, (byte) 2);
        lost += value == 1 ? 1 : 0;
      }
    }
    assertThat(lost).as("sectors of 64 that were lost").isBetween(10, 54);
  }

  @Test
  void aDurableWriteSurvivesAPowerCut() throws Exception {
    reopen(() -> plan.keepUnflushed(true));
    write(0, 32768, 2);
    IoBuffer buffer = owner.buffer(32768);
    for (int i = 0; i < 32768; i++) {
      buffer.bytes().put(i, (byte) 3);
    }
    owner.done(submit(owner.transfer(Operation.WRITE, 0, buffer, 32768).durable()));
    plan.cutPower();
    plan.restorePower();
    assertThat(read(0, 32768)).containsOnly(3);
  }

  @Test
  void whatWasUnflushedWhenTheDiskWasClosedIsStillLostByAPowerCut() throws Exception {
    reopen(() -> plan.keepUnflushed(true));
    write(0, 32768, 2);
    plan.cutPower();
    reopen(plan::restorePower);
    assertThat(read(0, 32768)).contains(0, 2);
  }

  @Test
  void aPortHasLeftOnlyWhenWhatHungWasLetGo() {
    int[] left = new int[1];
    port.whenLeft(() -> left[0]++);
    plan.add(FaultRule.parse("write hang"));
    IoRequest request =
        owner
            .request()
            .transfer(
                Operation.WRITE, 0, owner.buffer(4096), 0, 4096, engine.nanoTime() + 20_000_000);
    submit(request);
    owner.awaitOne(request, IoRequest.Outcome.TIMED_OUT);
    port.detach();
    engine.turn(false);
    assertThat(left[0]).isZero();
    plan.clear();
    owner.awaitOne(request, IoRequest.Outcome.RELEASED);
    assertThat(left[0]).isEqualTo(1);
  }

  private void reopen(Runnable between) throws DiskException {
    port.detach();
    disk.close();
    between.run();
    disk = opener.open(address, DiskOpener.Mode.OWN);
    port = disk.attach(engine);
  }
}

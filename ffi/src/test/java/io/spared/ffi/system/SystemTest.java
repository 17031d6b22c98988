package io.spared.ffi.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.engine.LoopDevice;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.world.World;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemTest {
  @TempDir private Path directory;

  @Test
  void theServiceManagerReceivesEachMessage() throws Exception {
    Path path = directory.resolve("notify");
    byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer address = Memory.structure(bytes.length + 3);
    address.putShort((short) Abi.AF_UNIX).put(bytes);
    try (Descriptor receiver = Libc.socket(Abi.AF_UNIX, Abi.SOCK_DGRAM, 0, "receiver")) {
      Libc.bind(receiver, Memory.address(address), bytes.length + 3);
      ServiceManager manager =
          new ServiceManager(
              Map.of(
                  "NOTIFY_SOCKET",
                  path.toString(),
                  "WATCHDOG_USEC",
                  "2000000",
                  "WATCHDOG_PID",
                  "77"),
              77);
      manager.ready("two devices");
      manager.status("a\nb");
      manager.alive();
      manager.reloading(World.real().clock());
      manager.stopping("draining");
      assertThat(receive(receiver)).isEqualTo("READY=1\nSTATUS=two devices");
      assertThat(receive(receiver)).isEqualTo("STATUS=a b");
      assertThat(receive(receiver)).isEqualTo("WATCHDOG=1");
      assertThat(receive(receiver)).matches("RELOADING=1\nMONOTONIC_USEC=[0-9]+");
      assertThat(receive(receiver)).isEqualTo("STOPPING=1\nSTATUS=draining");
      assertThat(manager.watchdog()).contains(Duration.ofSeconds(2));
    }
  }

  private static String receive(Descriptor receiver) {
    ByteBuffer memory = Memory.structure(4096);
    long bytes = Libc.receive(receiver, Memory.address(memory), 4096);
    assertThat(bytes).isPositive();
    byte[] message = new byte[(int) bytes];
    memory.get(0, message);
    return new String(message, StandardCharsets.UTF_8);
  }

  @Test
  void withoutAServiceManagerNothingHappens() {
    ServiceManager manager =
        new ServiceManager(Map.of("WATCHDOG_USEC", "5", "WATCHDOG_PID", "1"), 7);
    assertThat(manager.isPresent()).isFalse();
    assertThat(manager.watchdog()).isEmpty();
    manager.ready("ready");
  }

  @Test
  void aDeviceThatComesAndGoesIsAnEvent() throws Exception {
    Path file = Files.createFile(directory.resolve("disk"));
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(1 << 20);
    }
    try (KernelEvents events = KernelEvents.open()) {
      String name;
      try (LoopDevice loop = LoopDevice.over(file)) {
        name = loop.path().getFileName().toString();
        awaitChange(events, name);
      }
      awaitChange(events, name);
      assertThat(events.overflowed()).isFalse();
    }
  }

  private static void awaitChange(KernelEvents events, String name) throws Exception {
    List<KernelEvent> seen = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      Optional<KernelEvent> event = events.next(Duration.ofSeconds(10));
      event.ifPresent(seen::add);
      if (event.isPresent()
          && event.get().isBlockDevice()
          && event.get().deviceName().equals(Optional.of(name))) {
        return;
      }
      assumeTrue(event.isPresent() || !seen.isEmpty(), "this host passes no kernel events on");
    }
    throw new AssertionError("no event of " + name + " among " + seen);
  }

  @Test
  void anEventIsReadAndForeignMessagesAreNot() {
    byte[] message =
        "add@/devices/sdb\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=sdb\0"
            .getBytes(StandardCharsets.UTF_8);
    KernelEvent event = KernelEvent.parse(message).orElseThrow();
    assertThat(event.action()).isEqualTo("add");
    assertThat(event.devicePath()).isEqualTo("/devices/sdb");
    assertThat(event.isBlockDevice()).isTrue();
    assertThat(event.deviceName()).contains("sdb");
    assertThat(KernelEvent.parse("libudev\0x".getBytes(StandardCharsets.UTF_8))).isEmpty();
    assertThat(KernelEvent.parse(new byte[0])).isEmpty();
  }

  @Test
  void theFlusherFlagIsInheritedByThreadsMadeLaterAndShownPerThread() throws Exception {
    CompletableFuture<Boolean> inherited = new CompletableFuture<>();
    CompletableFuture<List<IoFlusher.ThreadFlag>> shown = new CompletableFuture<>();
    CompletableFuture<Optional<String>> refused = new CompletableFuture<>();
    Thread parent =
        new Thread(() -> {
          refused.complete(IoFlusher.set());
          Thread child =
              new Thread(
                  () -> {
                    inherited.complete(IoFlusher.isSet());
                    shown.complete(IoFlusher.threads());
                  },
                  "flusher-child");
          child.start();
          try {
            child.join();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
    parent.start();
    Optional<String> reason = refused.get(10, TimeUnit.SECONDS);
    assumeTrue(reason.isEmpty(), reason.orElse(""));
    assertThat(inherited.get(10, TimeUnit.SECONDS)).isTrue();
    assertThat(shown.get(10, TimeUnit.SECONDS))
        .anyMatch(thread -> thread.name().equals("flusher-child") && thread.flusher())
        .anyMatch(thread -> !thread.flusher());
    parent.join();
    assertThat(IoFlusher.isSet()).as("the flag of the test's own thread").isFalse();
  }
}

package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.FileEngine.FileKind;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.world.World;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Places for the kernel's pages in a ring's table, without a driver that fills them. */
class KernelPagesOnUringTest {
  @TempDir Path directory;

  private static UringEngine open() throws Exception {
    return UringEngine.open(
        World.real().clock(), EngineSettings.DEFAULT.withSlab(1 << 20, 4 << 20));
  }

  private static IoBuffer place(UringEngine engine) {
    IoBuffer place = engine.takePages();
    assumeTrue(place != null, "this kernel has no tables of buffers");
    return Objects.requireNonNull(place);
  }

  @Test
  void aRequestThatNamesAnEmptyPlaceFailsAndTouchesNothing() throws Exception {
    Path path = directory.resolve("disk");
    byte[] before = new byte[64 << 10];
    Arrays.fill(before, (byte) 7);
    Files.write(path, before);
    try (UringEngine engine = open();
        Descriptor file = Descriptor.open(path, Abi.O_RDWR)) {
      IoBuffer pages = place(engine);
      DiskPort port = engine.attach(file, FileKind.REGULAR, 0);
      assertThat(port.takesPages()).isTrue();
      Owner owner = new Owner(engine);
      for (Operation operation : List.of(Operation.READ, Operation.WRITE)) {
        IoRequest request = owner.transfer(operation, 4096, pages, 8192);
        port.submit(request);
        owner.awaitOne(request, Outcome.FAILED);
        assertThat(request.errno()).isEqualTo(Errno.EFAULT);
      }
      assertThat(Files.readAllBytes(path)).isEqualTo(before);
      assertThat(pages.isShared()).isFalse();
      port.detach();
    }
  }

  @Test
  void aPlaceIsHandedOutOnceAndNotAgainWhileItIsHeld() throws Exception {
    try (UringEngine engine = open()) {
      List<IoBuffer> taken = new ArrayList<>();
      @Nullable IoBuffer place = place(engine);
      while (place != null) {
        taken.add(place);
        place = engine.takePages();
      }
      Set<Integer> indexes = new HashSet<>();
      taken.forEach(one -> indexes.add(one.index()));
      assertThat(indexes).hasSize(taken.size());
      // Behind the slab's own, whose chunks are the first of the table.
      assertThat(indexes).allMatch(index -> index >= 4 && index < 1 << 14);
      IoBuffer held = taken.getFirst();
      held.retain();
      held.release();
      assertThat(engine.takePages()).isNull();
      held.release();
      assertThat(engine.takePages()).isSameAs(held);
      assertThat(engine.takePages()).isNull();
    }
  }

  @Test
  void nobodySeesTheirBytes() throws Exception {
    try (UringEngine engine = open()) {
      IoBuffer pages = place(engine);
      assertThatThrownBy(pages::bytes).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> Buffers.address(pages)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}

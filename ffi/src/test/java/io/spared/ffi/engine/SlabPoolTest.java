package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SlabPoolTest {
  private static final int CHUNK_BYTES = 1 << 20;

  private int chunksRegistered;

  private SlabPool pool(int chunks) {
    return new SlabPool(
        CHUNK_BYTES,
        (long) chunks * CHUNK_BYTES,
        (index, chunk, address) -> {
          chunksRegistered++;
          return true;
        });
  }

  private static IoBuffer take(SlabPool pool, int bytes) {
    IoBuffer buffer = pool.take(bytes);
    if (buffer == null) {
      throw new AssertionError("the slab is used up");
    }
    return buffer;
  }

  @Test
  void buffersTakenAtTheSameTimeNeverOverlap() {
    long seed = 7;
    Random random = new Random(seed);
    SlabPool pool = pool(3);
    List<IoBuffer> taken = new ArrayList<>();
    for (int step = 0; step < 20_000; step++) {
      if (random.nextInt(100) < 55) {
        int bytes = 1 + random.nextInt(random.nextInt(10) == 0 ? CHUNK_BYTES : 20_000);
        IoBuffer buffer = pool.take(bytes);
        if (buffer != null) {
          assertThat(buffer.capacityBytes()).as("seed " + seed).isGreaterThanOrEqualTo(bytes);
          assertThat(buffer.address() % 4096).isZero();
          for (IoBuffer other : taken) {
            boolean apart =
                buffer.address() + buffer.capacityBytes() <= other.address()
                    || other.address() + other.capacityBytes() <= buffer.address();
            assertThat(apart).as("seed " + seed + ", step " + step).isTrue();
          }
          taken.add(buffer);
        }
      } else if (!taken.isEmpty()) {
        taken.remove(random.nextInt(taken.size())).release();
      }
    }
    taken.forEach(IoBuffer::release);
    assertThat(pool.freeBytes()).isEqualTo(3L * CHUNK_BYTES);
    // Everything merges again: the largest buffers can be had, as many as there are chunks.
    for (int i = 0; i < 3; i++) {
      take(pool, CHUNK_BYTES);
    }
    assertThat(pool.take(1)).isNull();
    assertThat(pool.freeBytes()).isZero();
  }

  @Test
  void itGrowsOnlyWhenItMust() {
    SlabPool pool = pool(4);
    assertThat(chunksRegistered).isZero();
    IoBuffer first = take(pool, 4096);
    take(pool, CHUNK_BYTES / 2);
    assertThat(chunksRegistered).isEqualTo(1);
    first.release();
    take(pool, CHUNK_BYTES / 2);
    assertThat(chunksRegistered).isEqualTo(1);
    take(pool, 4096);
    assertThat(chunksRegistered).isEqualTo(2);
  }

  @Test
  void aBufferReleasedTwiceOrTakenTooLargeIsAnError() {
    SlabPool pool = pool(1);
    IoBuffer buffer = take(pool, 4096);
    buffer.release();
    assertThatThrownBy(buffer::release).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> pool.take(CHUNK_BYTES + 1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}

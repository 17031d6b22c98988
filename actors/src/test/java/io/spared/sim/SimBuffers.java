package io.spared.sim;

import io.spared.ffi.engine.BufferPool;
import io.spared.ffi.engine.IoBuffer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of a simulated engine: bounded, in sizes of powers of two, and filled with a poison
 * when they come back, so that whoever reads a buffer after giving it up reads nonsense.
 */
final class SimBuffers implements BufferPool {
  private static final int SMALLEST_BYTES = 4096;
  private static final int SIZES = 10;
  private static final int POISONED_BYTES_MAX = 8192;
  private static final byte POISON = (byte) 0xDB;

  private final ArrayDeque<IoBuffer>[] free;
  private final long capacityBytes;
  private long takenBytes;
  private int taken;
  private int made;

  @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type
  SimBuffers(long capacityBytes) {
    this.capacityBytes = capacityBytes;
    this.free = new ArrayDeque[SIZES];
    for (int i = 0; i < SIZES; i++) {
      free[i] = new ArrayDeque<>();
    }
  }

  private static int sizeIndex(int bytes) {
    int rounded = Math.max(bytes, SMALLEST_BYTES);
    return 32 - Integer.numberOfLeadingZeros((rounded - 1) / SMALLEST_BYTES);
  }

  @Override
  public @Nullable IoBuffer take(int bytes) {
    if (bytes > largestBytes()) {
      throw new IllegalArgumentException(
          bytes + " bytes asked of a pool whose largest buffer is " + largestBytes());
    }
    int size = sizeIndex(bytes);
    int sizeBytes = SMALLEST_BYTES << size;
    if (takenBytes + sizeBytes > capacityBytes) {
      return null;
    }
    IoBuffer buffer = free[size].poll();
    if (buffer == null) {
      buffer = new IoBuffer(ByteBuffer.allocate(sizeBytes), made++, this::giveBack);
    }
    buffer.taken();
    buffer.bytes().clear();
    taken++;
    takenBytes += sizeBytes;
    return buffer;
  }

  private void giveBack(IoBuffer buffer) {
    taken--;
    takenBytes -= buffer.capacityBytes();
    Arrays.fill(
        buffer.bytes().array(), 0, Math.min(buffer.capacityBytes(), POISONED_BYTES_MAX), POISON);
    free[sizeIndex(buffer.capacityBytes())].push(buffer);
  }

  @Override
  public int largestBytes() {
    return SMALLEST_BYTES << (SIZES - 1);
  }

  @Override
  public long freeBytes() {
    return capacityBytes - takenBytes;
  }

  /** How many are out: with their owners or under requests. */
  int taken() {
    return taken;
  }
}

package io.spared.sim;

import io.spared.ffi.engine.BufferPool;
import io.spared.ffi.engine.IoBuffer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
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
  private final @Nullable Map<IoBuffer, String> takers;

  @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type
  SimBuffers(long capacityBytes, boolean remembersTakers) {
    this.capacityBytes = capacityBytes;
    this.takers = remembersTakers ? new LinkedHashMap<>() : null;
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
    if (takers != null) {
      takers.put(buffer, taker());
    }
    return buffer;
  }

  private void giveBack(IoBuffer buffer) {
    taken--;
    if (takers != null) {
      takers.remove(buffer);
    }
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

  private static String taker() {
    StringBuilder text = new StringBuilder();
    for (StackTraceElement frame : new Throwable().getStackTrace()) {
      if (frame.getClassName().startsWith("io.spared.")
          && !frame.getClassName().contains(".sim.")) {
        text.append("\n    taken at ").append(frame);
      }
    }
    return text.toString();
  }

  /** Where those that are out were taken, when that is remembered. */
  String takers() {
    return takers == null ? "" : String.join("", takers.values());
  }

  /** How many are out: with their owners or under requests. */
  int taken() {
    return taken;
  }
}

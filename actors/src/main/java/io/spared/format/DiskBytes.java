package io.spared.format;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A disk for tools that may wait: whole units at aligned offsets. */
public interface DiskBytes {
  long sizeBytes();

  /** From position 0 to the limit. */
  ByteBuffer read(long offsetBytes, int lengthBytes) throws IOException;

  /** Durable when it returns. */
  void write(long offsetBytes, ByteBuffer bytes) throws IOException;

  /** Drives a reading to its end. */
  static <R extends Reading> R drive(R reading, DiskBytes disk) {
    for (var step = reading.next(); step.isPresent(); step = reading.next()) {
      ByteBuffer bytes;
      try {
        bytes = disk.read(step.get().offsetBytes(), step.get().lengthBytes());
      } catch (IOException e) {
        reading.failed(String.valueOf(e.getMessage()));
        continue;
      }
      reading.accept(bytes);
    }
    return reading;
  }
}

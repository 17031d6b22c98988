package io.spared.metadata;

import io.spared.format.CopyLayout;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Reads one unit. */
final class UnitReading implements Reading {
  private final long offsetBytes;
  private @Nullable ByteBuffer bytes;
  private boolean done;

  UnitReading(long offsetBytes) {
    this.offsetBytes = offsetBytes;
  }

  @Override
  public Optional<Step> next() {
    return done ? Optional.empty() : Optional.of(new Step(offsetBytes, CopyLayout.UNIT_BYTES));
  }

  @Override
  public void accept(ByteBuffer read) {
    byte[] copy = new byte[CopyLayout.UNIT_BYTES];
    read.get(0, copy);
    bytes = ByteBuffer.wrap(copy);
    done = true;
  }

  @Override
  public void failed(String reason) {
    done = true;
  }

  /** Empty when it could not be read. */
  Optional<ByteBuffer> bytes() {
    return Optional.ofNullable(bytes);
  }
}

package io.spared.device;

import io.spared.format.CopyReader;
import io.spared.format.Position;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** Reads of one spare how new the copies of a device on it are. */
final class CopyAges implements Reading {
  private static final int WINDOW_BYTES = 256 << 10;

  private final ArrayDeque<CopyReader> readers = new ArrayDeque<>();
  private Position newest = Position.NONE;

  CopyAges(UUID deviceId, UUID spareId, List<Long> offsetsBytes) {
    for (long offsetBytes : offsetsBytes) {
      readers.add(new CopyReader(deviceId, spareId, offsetBytes, WINDOW_BYTES));
    }
  }

  @Override
  public Optional<Step> next() {
    for (CopyReader reader = readers.peek(); reader != null; reader = readers.peek()) {
      Optional<Step> step = reader.next();
      if (step.isPresent()) {
        return step;
      }
      readers.remove();
      reader
          .result()
          .best()
          .filter(best -> best.tail().compareTo(newest) > 0)
          .ifPresent(best -> newest = best.tail());
    }
    return Optional.empty();
  }

  @Override
  public void accept(ByteBuffer bytes) {
    readers.element().accept(bytes);
  }

  @Override
  public void failed(String reason) {
    readers.element().failed(reason);
  }

  /** The newest state that any of them holds. */
  Position newest() {
    return newest;
  }
}

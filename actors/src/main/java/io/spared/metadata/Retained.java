package io.spared.metadata;

import io.spared.format.LogAppender.Payload;
import io.spared.format.Position;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The last commits, encoded, for copies that lag behind and for logs behind new checkpoints. */
final class Retained {
  private final TreeMap<Long, Payload> bySequence = new TreeMap<>();

  void add(Payload payload) {
    bySequence.put(payload.position().sequence(), payload);
  }

  @Nullable Payload get(long sequence) {
    return bySequence.get(sequence);
  }

  /** Whether the position is that of a commit which is kept. */
  boolean knows(Position position) {
    Payload payload = bySequence.get(position.sequence());
    return payload != null && payload.position().equals(position);
  }

  /** Forgets everything before this sequence. */
  void trimBefore(long sequence) {
    bySequence.headMap(sequence).clear();
  }

  int size() {
    return bySequence.size();
  }
}

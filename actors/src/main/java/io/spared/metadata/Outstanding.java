package io.spared.metadata;

import io.spared.format.LogAppender.Payload;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A record on its way to a quorum, with all who asked for a part of it. */
final class Outstanding {
  /** What it does beside its changes. */
  enum Kind {
    COMMIT,
    BEGIN,
    PLACE
  }

  final Kind kind;
  final Payload payload;
  final List<WaitingCommit> asked;
  final long startedNanos;
  final long deadlineNanos;

  /** The spares in service once this holds, where that differs from the image. */
  final @Nullable Set<Integer> neededSpares;

  /** Those who asked were told that it is indeterminate. */
  boolean told;

  Outstanding(
      Kind kind,
      Payload payload,
      List<WaitingCommit> asked,
      long startedNanos,
      long deadlineNanos,
      @Nullable Set<Integer> neededSpares) {
    this.kind = kind;
    this.payload = payload;
    this.asked = List.copyOf(asked);
    this.startedNanos = startedNanos;
    this.deadlineNanos = deadlineNanos;
    this.neededSpares = neededSpares;
  }
}

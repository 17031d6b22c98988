package io.spared.sim;

import java.util.ArrayDeque;
import java.util.List;
import java.util.function.Supplier;

/**
 * What happened, as a hash (two runs are the same when their hashes are) and, when wanted, as the
 * last lines of text for people.
 */
public final class SimTrace {
  private final int linesKept;
  private final ArrayDeque<String> lines = new ArrayDeque<>();
  private long hash = 0x5EED;
  private long count;

  public SimTrace(int linesKept) {
    this.linesKept = linesKept;
  }

  public void add(long what, long detail) {
    hash = SimRandom.mix(hash ^ what) + SimRandom.mix(detail);
    count++;
  }

  /** A line for people; its text is made only when lines are kept. */
  public void line(Supplier<String> text) {
    if (linesKept > 0) {
      if (lines.size() == linesKept) {
        lines.removeFirst();
      }
      lines.addLast(text.get());
    }
  }

  public boolean keepsLines() {
    return linesKept > 0;
  }

  public long hash() {
    return hash;
  }

  public long count() {
    return count;
  }

  public List<String> lines() {
    return List.copyOf(lines);
  }
}

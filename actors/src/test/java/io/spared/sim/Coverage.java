package io.spared.sim;

import java.util.Map;
import java.util.TreeMap;

/** Counts, by name, how often something was reached. */
public final class Coverage {
  private final TreeMap<String, Long> counts = new TreeMap<>();

  public void hit(String name) {
    add(name, 1);
  }

  public void add(String name, long count) {
    counts.merge(name, count, Long::sum);
  }

  public void addAll(Coverage other) {
    other.counts.forEach(this::add);
  }

  public long count(String name) {
    return counts.getOrDefault(name, 0L);
  }

  public Map<String, Long> counts() {
    return counts;
  }
}

package io.spared.bench;

import io.spared.format.Geometry;
import io.spared.remap.Lookup;
import io.spared.remap.RemapTable;
import io.spared.sim.SimRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * The remap table under JMH: ten million remaps, strewn over a device of 4 TiB, so that every
 * region of the summary has some and every lookup has to go to the entries.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CoreLookups {
  static final int REMAPS = 10_000_000;
  static final Geometry GEOMETRY = new Geometry(4096, 512, 4L << 40);

  /** Blocks asked for in one go: enough that the caches cannot learn them. */
  private static final int ASKED = 1 << 20;

  private static final int RANGE_BLOCKS = 256;

  private RemapTable full = new RemapTable(GEOMETRY);
  private RemapTable sparse = new RemapTable(GEOMETRY);
  private final long[] hits = new long[ASKED];
  private final long[] misses = new long[ASKED];
  private final Lookup lookup = new Lookup();

  /** A table with so many remaps at random blocks, as loading makes it. */
  static RemapTable table(int remaps, long seed) {
    RemapTable table = new RemapTable(GEOMETRY);
    SimRandom random = new SimRandom(seed);
    table.beginLoading();
    for (int i = 0; i < remaps; i++) {
      table.put(random.below(GEOMETRY.blockCount()), i & 7, i, 0, 0);
    }
    table.publish();
    return table;
  }

  @Setup(Level.Trial)
  public void setUp() {
    full = table(REMAPS, 1);
    sparse = new RemapTable(GEOMETRY);
    for (long block = 0; block < 100_000; block++) {
      sparse.put(block, 0, block, 0, 0);
    }
    sparse.publish();
    SimRandom same = new SimRandom(1);
    SimRandom random = new SimRandom(2);
    for (int i = 0; i < ASKED; i++) {
      for (int skipped = 0; skipped < 8; skipped++) {
        hits[i] = same.below(GEOMETRY.blockCount());
      }
      misses[i] = random.below(GEOMETRY.blockCount());
    }
    // So that neighbours in the list are not neighbours in the order of filling.
    for (int i = ASKED - 1; i > 0; i--) {
      int j = random.below(i + 1);
      long swapped = hits[i];
      hits[i] = hits[j];
      hits[j] = swapped;
    }
  }

  /** A request of 1 MiB to a range without remaps, on a device that has 100,000 elsewhere. */
  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long cleanRange() {
    long clean = 0;
    for (long block : misses) {
      long first = Math.max(200_000, block - RANGE_BLOCKS);
      clean += sparse.isClean(first, first + RANGE_BLOCKS - 1) ? 1 : 0;
    }
    return clean;
  }

  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long hit() {
    long sum = 0;
    for (long block : hits) {
      full.find(block, lookup);
      sum += lookup.place;
    }
    return sum;
  }

  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long miss() {
    long found = 0;
    for (long block : misses) {
      found += full.find(block, lookup) ? 1 : 0;
    }
    return found;
  }

  /** Each lookup's block depends on what the one before found: the latency, not the rate. */
  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long chain() {
    long carry = 0;
    for (long block : hits) {
      full.find(block ^ carry, lookup);
      // Always 0, since a place is far smaller; but only the lookup's result can tell.
      carry = lookup.place >>> 62;
    }
    return carry;
  }
}

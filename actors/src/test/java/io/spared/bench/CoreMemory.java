package io.spared.bench;

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
 * The yardstick for {@link CoreLookups}: one word of a plain array as large as a table of ten
 * million remaps, at random, with nothing else to do. No lookup is faster than this.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CoreMemory {
  private static final int WORDS = 35_000_000;
  private static final int ASKED = 1 << 20;

  private long[] words = {};
  private final int[] asked = new int[ASKED];

  @Setup(Level.Trial)
  public void setUp() {
    SimRandom random = new SimRandom(3);
    words = new long[WORDS];
    for (int i = 0; i < WORDS; i++) {
      words[i] = i;
    }
    for (int i = 0; i < ASKED; i++) {
      asked[i] = random.below(WORDS - 1);
    }
  }

  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long memory() {
    long sum = 0;
    for (int index : asked) {
      sum += words[index];
    }
    return sum;
  }

  /** Each address depends on the word before. */
  @Benchmark
  @OperationsPerInvocation(ASKED)
  public long memoryChain() {
    long carry = 0;
    for (int index : asked) {
      // Always 0, but only the word itself can tell.
      carry = words[index + (int) carry] >>> 62;
    }
    return carry;
  }
}

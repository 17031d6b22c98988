package io.spared.bench;

/**
 * One named benchmark: {@code ./spared bench NAME} runs the class {@code io.spared.bench.NameBench}
 * of any module's test tree. It prints its table for people itself and gives every figure asked for
 * to {@link Figures}.
 */
public interface Benchmark {
  void run(BenchArguments arguments, Figures figures) throws Exception;
}

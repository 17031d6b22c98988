package io.spared.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NamedClassesTest {
  private final NamedClasses benchmarks = new NamedClasses("io.spared.bench", "Bench");

  @Test
  void aNameOfSeveralWordsIsTheCamelCaseOfItsClass() {
    assertThat(benchmarks.className("disk-copy")).isEqualTo("io.spared.bench.DiskCopyBench");
  }
}

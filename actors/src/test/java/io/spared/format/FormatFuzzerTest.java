package io.spared.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FormatFuzzerTest {
  @Test
  void noInputHurtsTheReaders() throws Exception {
    FormatFuzzer fuzzer = new FormatFuzzer(20260101);
    AtomicInteger left = new AtomicInteger(60_000);
    fuzzer.run(() -> left.getAndDecrement() <= 0);
    System.out.println(fuzzer);
    assertThat(fuzzer.toString()).contains("60000 inputs");
  }
}

package io.spared.nbd.negotiation;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NegotiationFuzzTest {
  @Test
  void whateverAClientSendsTheNegotiationEndsOrAsksForBoundedBytes() {
    NegotiationFuzzer fuzzer = new NegotiationFuzzer(20_251);
    for (int i = 0; i < 40_000; i++) {
      fuzzer.runOne();
    }
    assertThat(fuzzer.transmissions()).isGreaterThan(500);
    assertThat(fuzzer.ended()).isGreaterThan(500);
  }
}

package io.spared.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class FigureListTest {
  private final FigureList figures = new FigureList();

  @Test
  void aFigureThatReachesWhatIsWantedIsPrintedWithItAndTheRunSucceeds() {
    figures.atLeast("read_depth32", 0.97, "ratio", 0.95);
    figures.atMost("start_ready", 412.345678, "ms", 1000);

    assertThat(figures.lines())
        .containsExactly(
            "figure read_depth32 0.97 ratio wanted >= 0.95",
            "figure start_ready 412.35 ms wanted <= 1000");
    assertThat(figures.exitCode()).isZero();
  }

  @Test
  void oneFigureThatFallsShortFailsTheRun() {
    figures.atLeast("good", 2, "ratio", 1);
    figures.atMost("bad", 1000.001, "ms", 1000);

    assertThat(figures.exitCode()).isEqualTo(3);
  }

  @Test
  void aFigureThatIsNoNumberFallsShort() {
    figures.atMost("p99", Double.NaN, "us", 10);

    assertThat(figures.exitCode()).isEqualTo(3);
  }

  @Test
  void aRunWithoutFiguresFallsShort() {
    assertThat(figures.exitCode()).isEqualTo(3);
  }

  @Test
  void aSavedRunIsComparedFigureByFigure() {
    figures.atLeast("iops", 200_000, "1/s", 1);
    FigureList earlier = FigureList.parse(figures.lines());
    FigureList now = new FigureList();
    now.atLeast("iops", 300_000, "1/s", 1);
    now.report("new", 1, "ms");

    assertThat(now.compared(earlier))
        .containsExactly("baseline iops 200000 -> 300000 1/s ratio 1.5");
  }

  @Test
  void namesOfSeveralWordsAreRefusedSinceALineIsReadByWords() {
    assertThatThrownBy(() -> figures.report("two words", 1, "ms"))
        .isInstanceOf(IllegalArgumentException.class);
  }
}

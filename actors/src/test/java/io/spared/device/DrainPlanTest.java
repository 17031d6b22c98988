package io.spared.device;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class DrainPlanTest {
  @Test
  void theStagesFollowEachOtherAndTheLastEndsBeforeTheDeadline() {
    DrainPlan plan = new DrainPlan(10_000_000_000L);
    long before = 0;
    for (DrainPlan.Stage stage : DrainPlan.Stage.values()) {
      assertThat(plan.endNanos(stage)).isGreaterThan(before);
      before = plan.endNanos(stage);
    }
    assertThat(before).isLessThan(plan.totalNanos());
  }

  @Test
  void aStageThatBeginsLateHasNoTimeLeftAndNeverLessThanNone() {
    DrainPlan plan = new DrainPlan(1_000_000L);
    assertThat(plan.leftNanos(DrainPlan.Stage.QUEUES, 2_000_000L)).isZero();
    assertThat(plan.leftNanos(DrainPlan.Stage.METADATA, 0)).isPositive();
  }
}

package io.spared.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.spare.SpareReply;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

final class LostRangesTest {
  private static final UUID DEVICE = new UUID(1, 2);
  private static final UUID ANOTHER = new UUID(3, 4);

  @Test
  void aTableThatLacksAPartOfWhatTheDeviceHasDoesNotLendItAll() {
    List<Extent> known = List.of(extent(1, 2), extent(5, 1));
    assertThat(LostRanges.areAllLent(DEVICE, List.of(lent(DEVICE, 1, 6)), known)).isTrue();
    assertThat(
            LostRanges.areAllLent(
                DEVICE, List.of(lent(DEVICE, 1, 1), lent(DEVICE, 2, 1), lent(DEVICE, 5, 3)), known))
        .isTrue();
    assertThat(LostRanges.areAllLent(DEVICE, List.of(lent(DEVICE, 1, 2)), known)).isFalse();
    assertThat(LostRanges.areAllLent(DEVICE, List.of(lent(DEVICE, 2, 4)), known)).isFalse();
    assertThat(LostRanges.areAllLent(DEVICE, List.of(lent(ANOTHER, 1, 6)), known)).isFalse();
    assertThat(LostRanges.areAllLent(DEVICE, List.of(), List.of())).isTrue();
  }

  @Test
  void whatIsLentAndNotKnownIsFoundBetweenWhatIs() {
    assertThat(
            LostRanges.of(
                DEVICE,
                List.of(lent(DEVICE, 1, 6), lent(ANOTHER, 9, 1)),
                List.of(extent(2, 1), extent(5, 1))))
        .containsExactly(extent(1, 1), extent(3, 2), extent(6, 1));
  }

  private static Extent extent(long unit, long units) {
    return new Extent(0, unit << 20, units << 20, ExtentKind.DATA);
  }

  private static SpareReply.Lending lent(UUID deviceId, long unit, long units) {
    return new SpareReply.Lending(deviceId, unit << 20, units << 20, ExtentKind.DATA);
  }
}

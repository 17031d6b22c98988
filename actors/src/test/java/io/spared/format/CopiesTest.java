package io.spared.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.Test;

class CopiesTest {
  private static final Set<Integer> ALL = Set.of(0, 1, 2, 3, 4);

  @Test
  void whatWasCommittedIsLoadedAgain() throws Exception {
    TestDevice device = TestDevice.small(2).writeAll();
    device.commit(ALL, new Change.Remapped(77, 1, 1234, new LostBits(0b101, 0)));
    device.commit(
        ALL, new Change.PendingSet(78, LostBits.first(3)), new Change.PolicySet("a", "b"));
    device.writeCopy(3);
    device.commit(ALL, new Change.SlotRetired(0, 99), new Change.Remapped(5, 0, 7, LostBits.NONE));

    OfflineDevice.Loaded loaded = device.load();

    assertThat(loaded.verdict().reasons()).hasSize(1);
    assertThat(loaded.verdict().isHealthy()).as(loaded.verdict().toString()).isTrue();
    DeviceImage image = loaded.image().orElseThrow();
    assertThat(image.position()).isEqualTo(device.image.position());
    assertThat(((SortedRemapEntries) image.entries()).remaps())
        .isEqualTo(device.entries().remaps());
    assertThat(((SortedRemapEntries) image.entries()).pending())
        .isEqualTo(device.entries().pending());
    assertThat(Checkpoints.headerChanges(image)).isEqualTo(Checkpoints.headerChanges(device.image));
    assertThat(image.retiredSlots(0)).containsExactly(99L);
  }
}

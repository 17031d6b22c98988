package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

final class UblkIdentityTest {
  @Test
  void setUpsAreToldApartAndFromOtherServersDevices() {
    Random random = new Random(7);
    Set<Long> seen = new HashSet<>();
    for (int i = 0; i < 10_000; i++) {
      UUID id = new UUID(random.nextLong(), random.nextLong());
      long tag = UblkIdentity.of(id);
      assertThat(UblkIdentity.isOurs(tag)).isTrue();
      assertThat(
              UblkIdentity.of(new UUID(id.getMostSignificantBits(), id.getLeastSignificantBits())))
          .isEqualTo(tag);
      seen.add(tag);
    }
    assertThat(seen).hasSize(10_000);
    assertThat(UblkIdentity.isOurs(0)).isFalse();
    assertThat(UblkIdentity.isOurs(1)).isFalse();
  }
}

package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Starts without a spare that a person gives up, after a host that died. */
@Timeout(120)
final class WithoutSpareTest {
  private static final Duration SOON = Duration.ofSeconds(60);
  private static final Pattern LOSS = Pattern.compile("--accept-loss ([0-9]+)");

  /** Spare 0 has three of the five copies, spare 1 the others. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void whatStaysIsServedAndTheSpareIsNeverUsedAgain(int lost) {
    try (HostRig rig = new HostRig(71 + lost, "a")) {
      HostRig.Device a = diedWithout(rig, lost);
      assertThat(a.serves()).isFalse();

      Answer shown = start(rig, a, lost, OptionalLong.empty());

      assertThat(shown).isInstanceOf(Answer.Refused.class);
      assertThat(shown.sentence()).contains("Nothing was changed");
      if (lost == 0) {
        assertThat(shown.sentence()).contains("2 of 5 copies are readable");
      }
      long blocks = loss(shown);
      assertThat(blocks).isPositive();
      assertThat(start(rig, a, lost, OptionalLong.of(blocks + 1)))
          .isInstanceOf(Answer.Refused.class);

      Answer done = start(rig, a, lost, OptionalLong.of(blocks));

      assertThat(done).as(done.sentence()).isInstanceOf(Answer.Done.class);
      servesAllButWhatIsLost(rig, a);
      assertThat(rig.until(() -> a.goodCopies() == 5, SOON)).isTrue();
      // As it was, with old copies of the metadata and old blocks.
      rig.quiet(a);
      a.setup.spares.get(lost).reappear();
      rig.restart(a);
      assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aHostThatDiesWhileItGivesTheSpareUpHasDoneSoOrNot() {
    int done = 0;
    int not = 0;
    for (int i = 0; i < 8; i++) {
      try (HostRig rig = new HostRig(100 + i, "a")) {
        HostRig.Device a = diedWithout(rig, 0);
        long blocks = loss(start(rig, a, 0, OptionalLong.empty()));
        rig.tellDevice(a, command(0, OptionalLong.of(blocks), rig.ignored()));
        rig.runFor(Duration.ofMillis(250 + 3 * i));
        rig.moveTo(HostRig.HOST);

        if (rig.until(a::serves, Duration.ofSeconds(20))) {
          done++;
        } else {
          not++;
          Answer again = start(rig, a, 0, OptionalLong.of(blocks));
          assertThat(again).as("%s: %s", i, again.sentence()).isInstanceOf(Answer.Done.class);
        }

        servesAllButWhatIsLost(rig, a);
        assertThat(rig.leftAfterShutdown()).isEmpty();
      }
    }
    assertThat(done).as("died after it").isPositive();
    assertThat(not).as("died before it").isPositive();
  }

  @Test
  void aSpareThatComesBackBeforeItIsGivenUpIsUsedAsEver() {
    try (HostRig rig = new HostRig(73, "a")) {
      HostRig.Device a = diedWithout(rig, 1);
      long blocks = loss(start(rig, a, 1, OptionalLong.empty()));
      a.setup.spares.get(1).reappear();

      Answer there = start(rig, a, 1, OptionalLong.of(blocks));

      assertThat(there).isInstanceOf(Answer.Refused.class);
      assertThat(there.sentence()).contains("spare 1 is there");
      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();
      assertThat(a.status().remaps().lostSectors()).isZero();
    }
  }

  /** Blocks are on both spares; the host died, and with it this spare. */
  private static HostRig.Device diedWithout(HostRig rig, int lost) {
    HostRig.Device a = rig.servingAll();
    rig.badSectorsOnMain(a, 40);
    assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();
    rig.quiet(a);
    a.setup.spares.get(lost).disappear();
    rig.moveTo(HostRig.HOST);
    assertThat(
            rig.until(
                () ->
                    a.actor != null
                        && a.is(status -> status.sentence().contains("--without-spare " + lost)),
                SOON))
        .as("%s", a)
        .isTrue();
    return a;
  }

  private static void servesAllButWhatIsLost(HostRig rig, HostRig.Device a) {
    assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
    assertThat(rig.until(() -> a.is(status -> status.jobs().isEmpty()), SOON)).as("%s", a).isTrue();
    assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();
  }

  private static Answer start(HostRig rig, HostRig.Device a, int spare, OptionalLong blocks) {
    return rig.command(a, replyTo -> command(spare, blocks, replyTo));
  }

  private static DeviceCommand command(
      int spare, OptionalLong blocks, org.apache.pekko.actor.typed.ActorRef<Answer> replyTo) {
    return new DeviceCommand.Start(
        false, Optional.of(new DeviceCommand.GiveUp(Set.of(spare), blocks)), replyTo);
  }

  private static long loss(Answer shown) {
    Matcher named = LOSS.matcher(shown.sentence());
    assertThat(named.find()).as(shown.sentence()).isTrue();
    return Long.parseLong(named.group(1));
  }
}

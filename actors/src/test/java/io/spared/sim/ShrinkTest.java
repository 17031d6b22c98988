package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * What is printed for a failing seed: a short script, and a command that shows the failure again.
 */
class ShrinkTest {
  private static final long FIRST_SEED = 40_000;
  private static final String NAME = "only the first block of a request is looked up";

  @Test
  void aFailingSeedIsShrunkToAShortScriptThatThePrintedCommandReplays() throws Exception {
    Variant variant =
        Variants.ALL.stream().filter(each -> each.name().equals(NAME)).findFirst().orElseThrow();
    ClassLoader broken = variant.load();
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(broken);
    String[] command;
    try {
      String found =
          (String)
              method(broken, "CoreCampaign", "hunt", String.class, long.class, int.class)
                  .invoke(null, variant.kind(), FIRST_SEED, 200);
      assertThat(found).isNotNull();
      long seed = FIRST_SEED - 1 + Integer.parseInt(found.substring(0, found.indexOf('\n')));
      String explained =
          (String)
              method(broken, "CoreCampaign", "explain", String.class, long.class, Set.class)
                  .invoke(null, variant.kind(), seed, null);
      String again = explained.substring(explained.indexOf(CoreCampaign.AGAIN));
      command = again.substring(CoreCampaign.AGAIN.length()).trim().split(" ", -1);
      int drawn = CoreRun.script(seed, CoreCampaign.options(variant.kind())).actions().size();
      int kept = command[7].equals("none") ? 0 : command[7].split(",", -1).length;
      System.out.println(kept + " of " + drawn + " actions are left; " + again);
      assertThat(kept).isLessThanOrEqualTo(3).isLessThan(drawn);
      assertThat(replay(broken, command)).as("with the broken code").isFalse();
    } finally {
      thread.setContextClassLoader(before);
    }
    assertThat(replay(ShrinkTest.class.getClassLoader(), command)).as("mended").isTrue();
  }

  /** Runs the printed command as the program does; true when nothing was found. */
  private static boolean replay(@Nullable ClassLoader code, String[] command) throws Exception {
    assertThat(command).startsWith("--minutes", "0", "--seed").hasSize(8);
    Class<?> progress =
        Class.forName("io.spared.soak.SoakProgress", true, code == null ? null : code);
    Method soak =
        method(
            code,
            "SimCampaign",
            "soak",
            long.class,
            Duration.class,
            BooleanSupplier.class,
            List.class,
            progress);
    BooleanSupplier never = () -> false;
    return (boolean)
        soak.invoke(
            null,
            Long.parseLong(command[3]),
            Duration.ZERO,
            never,
            List.of(command).subList(4, 8),
            null);
  }

  private static Method method(
      @Nullable ClassLoader code, String type, String name, Class<?>... parameters)
      throws ReflectiveOperationException {
    Method found =
        Class.forName("io.spared.sim." + type, true, code).getDeclaredMethod(name, parameters);
    found.setAccessible(true);
    return found;
  }
}

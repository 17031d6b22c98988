package io.spared.app.scenario;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** Rounds of {@link Lifecycle} with a census after some, and what these say together. */
public final class LifecycleTrial {
  private final Lifecycle lifecycle;
  private final SplittableRandom random;
  private final List<Census> taken = new ArrayList<>();

  public LifecycleTrial(Lifecycle lifecycle, long seed) {
    this.lifecycle = lifecycle;
    this.random = new SplittableRandom(seed);
  }

  /** Rounds that are not counted, in which pools and histories fill. */
  public void warmUp(int rounds, BooleanSupplier over) throws IOException {
    for (int round = 0; round < rounds && !over.getAsBoolean(); round++) {
      lifecycle.round(random);
    }
  }

  /**
   * Goes on until it is over.
   *
   * @param rounds after so many it counts
   * @return what leaks
   */
  public List<String> run(int rounds, BooleanSupplier over, Consumer<String> said)
      throws IOException {
    Optional<Census> highest = Optional.empty();
    while (!over.getAsBoolean()) {
      for (int round = 0; round < rounds; round++) {
        lifecycle.round(random);
      }
      Census now = lifecycle.census(highest);
      highest = Optional.of(highest.map(now::highest).orElse(now));
      taken.add(now);
      said.accept(
          lifecycle.cycles() + " lives, " + lifecycle.crashes() + " crashed clients; " + now);
    }
    return Census.leaks(taken);
  }

  /** How often it counted. */
  public int counted() {
    return taken.size();
  }
}

package io.spared.metadata;

import io.spared.metadata.CrashEnumeration.Operation;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;

/**
 * The crash enumeration for as long as wanted: all scripts of three operations, then fresh seeds.
 */
public final class CrashSoak {
  private final SplittableRandom random;
  private final List<List<Operation>> all = CrashEnumeration.scripts(3);
  private long states;
  private long points;
  private long scripts;

  public CrashSoak(long seed) {
    this.random = new SplittableRandom(seed);
  }

  /** Goes on until it is over; throws what it finds, with script and seed. */
  public void run(BooleanSupplier over) {
    while (!over.getAsBoolean()) {
      List<Operation> script =
          scripts < all.size() ? all.get((int) scripts) : all.get(random.nextInt(all.size()));
      CrashEnumeration run =
          CrashEnumeration.real(random.nextLong(), 1 + (int) (scripts % 3), script);
      states += run.run();
      points += run.crashPoints();
      scripts++;
    }
  }

  public long states() {
    return states;
  }

  @Override
  public String toString() {
    return "crash enumeration: "
        + scripts
        + " scripts, "
        + points
        + " crash points, "
        + states
        + " states";
  }
}

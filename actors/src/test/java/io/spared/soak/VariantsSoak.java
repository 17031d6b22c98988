package io.spared.soak;

import io.spared.sim.VariantHunt;

/**
 * {@code ./spared soak variants [--seed S] [--only WORD]}: the table of deliberately broken
 * versions and in how many runs and seconds the simulation catches each. It fails when one is
 * missed.
 */
public final class VariantsSoak implements Soak {
  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws Exception {
    System.setProperty("spared.log.level", "OFF");
    String only = arguments.rest().size() == 2 ? arguments.rest().get(1) : "";
    return VariantHunt.all(arguments.seed(), only, arguments::over);
  }
}

package io.spared.soak;

import io.spared.sim.SimCampaign;

/**
 * {@code ./spared soak sim [--minutes N] [--seed S] [--cores N] [--kind K] [--only A,B,...]}: the
 * daemon in the simulator, seed after seed from S on; with {@code --minutes 0} the one seed alone,
 * with its script and last lines when it fails.
 */
public final class SimSoak implements Soak {
  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws Exception {
    // What simulated daemons tell people would drown what this tells.
    System.setProperty("spared.log.level", "OFF");
    return SimCampaign.soak(
        arguments.seed(), arguments.length(), arguments::over, arguments.rest(), progress);
  }
}

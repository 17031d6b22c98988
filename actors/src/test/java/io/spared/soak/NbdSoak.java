package io.spared.soak;

import io.spared.nbd.negotiation.NegotiationFuzzer;
import io.spared.nbd.transmission.SessionTrial;

/**
 * Clients of every kind without end: negotiations that are right, nearly right or rubbish, and
 * transmissions over simulated disks with unreadable sectors, each byte checked. What is found is
 * printed with its seed.
 */
public final class NbdSoak implements Soak {
  private static final int NEGOTIATIONS_PER_SESSION = 200;

  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) {
    NegotiationFuzzer negotiations = new NegotiationFuzzer(arguments.seed());
    long sessions = 0;
    long answered = 0;
    long errors = 0;
    long seed = arguments.seed();
    while (!arguments.over()) {
      try {
        for (int i = 0; i < NEGOTIATIONS_PER_SESSION; i++) {
          negotiations.runOne();
        }
        SessionTrial trial = SessionTrial.run(seed++);
        sessions++;
        answered += trial.answered();
        errors += trial.errors();
      } catch (AssertionError e) {
        e.printStackTrace();
        progress.say("found: " + e.getMessage());
        return false;
      }
      long sessionsSoFar = sessions;
      long answeredSoFar = answered;
      long errorsSoFar = errors;
      progress.at(() ->
          negotiations.runs()
              + " negotiations, "
              + sessionsSoFar
              + " sessions, "
              + answeredSoFar
              + " requests answered and checked, "
              + errorsSoFar
              + " errors told with their place");
    }
    progress.say(
        negotiations.runs() + " negotiations and " + sessions + " sessions, nothing found");
    return true;
  }
}

package io.spared.soak;

import io.spared.app.scenario.KillTrial;
import io.spared.nbd.negotiation.NegotiationFuzzer;
import io.spared.nbd.transmission.SessionTrial;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;

/**
 * Clients of every kind without end: negotiations that are right, nearly right or rubbish;
 * transmissions over simulated disks with unreadable sectors, each byte checked; and the real
 * daemon, killed again and again under a client that writes and checks. What is found is printed
 * with its seed; the files of a trial with the daemon are then kept.
 */
public final class NbdSoak implements Soak {
  private static final int NEGOTIATIONS_PER_SESSION = 200;
  private static final int SESSIONS_PER_DAEMON = 300;
  private static final int KILLS_PER_DAEMON = 4;

  private long sessions;
  private long answered;
  private long errors;
  private long kills;
  private long acknowledged;
  private long flushes;
  private long unanswered;

  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws IOException {
    NegotiationFuzzer negotiations = new NegotiationFuzzer(arguments.seed());
    long seed = arguments.seed();
    try {
      for (long daemons = 0; !arguments.over(); daemons++) {
        for (int i = 0; i < SESSIONS_PER_DAEMON && !arguments.over(); i++) {
          for (int n = 0; n < NEGOTIATIONS_PER_SESSION; n++) {
            negotiations.runOne();
          }
          SessionTrial trial = SessionTrial.run(seed++);
          sessions++;
          answered += trial.answered();
          errors += trial.errors();
          progress.at(() -> sentence(negotiations));
        }
        killDaemon(
            seed++, daemons % 2 == 0, arguments, () -> progress.at(() -> sentence(negotiations)));
      }
    } catch (AssertionError e) {
      e.printStackTrace();
      progress.say("found: " + e.getMessage());
      return false;
    }
    progress.say(sentence(negotiations) + "; nothing found");
    return true;
  }

  private void killDaemon(long seed, boolean local, SoakArguments arguments, Runnable said)
      throws IOException {
    Path directory = Files.createTempDirectory("spared-soak-nbd");
    KillTrial.Disks disks = local ? KillTrial.Disks.LOCAL : KillTrial.Disks.VOLATILE;
    try (KillTrial trial = new KillTrial(directory, disks, Optional.empty(), seed)) {
      for (int i = 0; i < KILLS_PER_DAEMON && !arguments.over(); i++) {
        trial.round();
        kills++;
        said.run();
      }
      acknowledged += trial.acknowledged();
      flushes += trial.flushes();
      unanswered += trial.unanswered();
    } catch (IOException | io.spared.app.offline.OfflineException | AssertionError e) {
      throw new AssertionError(
          "killed daemon, seed " + seed + ", " + disks + ", in " + directory, e);
    }
    delete(directory);
  }

  private static void delete(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private String sentence(NegotiationFuzzer negotiations) {
    return negotiations.runs()
        + " negotiations, "
        + sessions
        + " sessions, "
        + answered
        + " requests answered and checked, "
        + errors
        + " errors told with their place; the daemon killed "
        + kills
        + " times, "
        + acknowledged
        + " writes and "
        + flushes
        + " flushes acknowledged, "
        + unanswered
        + " writes under way then";
  }
}

package io.spared.discovery;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What was decided about a set-up, with everything that led to it.
 *
 * @param score the sum of the evidence, at most 100
 * @param contradictions any of them forbids, whatever the score
 * @param doubts why it waits for a person, or for a disk
 * @param setUp its disks, where all of them are known
 */
public record Judgement(
    UUID deviceId,
    String name,
    Decision decision,
    int score,
    List<Evidence> evidence,
    List<String> contradictions,
    List<String> doubts,
    Optional<SetUp> setUp) {
  /** The highest confidence. */
  public static final int SCORE_MAX = 100;

  public Judgement {
    evidence = List.copyOf(evidence);
    contradictions = List.copyOf(contradictions);
    doubts = List.copyOf(doubts);
  }

  /** What may be done. */
  public enum Decision {
    ACTIVATE("activate"),
    /** Something is missing or not certain enough: a person, or another disk, may decide. */
    WAIT("wait"),
    /** The evidence contradicts itself. */
    FORBIDDEN("forbidden"),
    /** Somebody is at it: what its disks say meanwhile may be half of what they will say. */
    BEING_ASSEMBLED("being assembled"),
    ALREADY_ACTIVE("active already");

    private final String words;

    Decision(String words) {
      this.words = words;
    }

    @Override
    public String toString() {
      return words;
    }
  }

  /** The same, forbidden for one more reason. */
  Judgement forbidden(String contradiction) {
    List<String> more = new ArrayList<>(contradictions);
    more.add(contradiction);
    return new Judgement(deviceId, name, Decision.FORBIDDEN, score, evidence, more, doubts, setUp);
  }

  /** For people, the decision first, then one line for each reason. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(
        name + " (" + deviceId + "): " + decision + ", confidence " + score + " of " + SCORE_MAX);
    contradictions.forEach(sentence -> lines.add("  contradiction: " + sentence));
    doubts.forEach(sentence -> lines.add("  doubt: " + sentence));
    evidence.forEach(one -> lines.add("  " + one));
    return lines;
  }

  /** All of it in one line, for the audit log. */
  public String line() {
    return String.join("; ", lines().stream().map(String::strip).toList());
  }
}

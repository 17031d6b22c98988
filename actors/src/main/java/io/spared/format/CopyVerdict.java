package io.spared.format;

import java.util.List;
import java.util.Optional;

/**
 * What the copies of a device say together.
 *
 * @param reasons one sentence each, the deciding one first
 * @param findings one for each copy that was looked for or found
 * @param winners the copies that hold the chosen state, best first; empty unless usable
 */
public record CopyVerdict(
    Decision decision,
    List<String> reasons,
    List<CopyFinding> findings,
    Optional<Position> position,
    List<Integer> winners) {
  /** How a reason begins that a person's consent made one. */
  public static final String ALLOWED = "allowed by a person: ";

  public CopyVerdict {
    reasons = List.copyOf(reasons);
    findings = List.copyOf(findings);
    winners = List.copyOf(winners);
  }

  /** What may be done. */
  public enum Decision {
    /** The chosen state is the newest; it may be committed again under a new epoch. */
    USABLE,
    /** Nobody can know that the best survivor is the newest, or spares are missing. */
    NEEDS_PERSON,
    /** A newer format: leave it alone. */
    NEWER_FORMAT,
    /** Two histories contradict each other. */
    CONTRADICTION,
    /** Nothing can be read of any copy. Never a reason to start fresh. */
    NOTHING
  }

  /**
   * The epoch of a start from the chosen state: above every epoch that any copy bears, also one of
   * a start that was never durable and is void. Its rest stands on a copy until that is repaired,
   * and under the same counter it would look like another host's start.
   */
  public Epoch nextEpoch(long startId) {
    long highest =
        findings.stream()
            .flatMap(finding -> finding.position().stream())
            .map(position -> position.epoch().counter())
            .max(Long::compareUnsigned)
            .orElse(0L);
    return new Epoch(highest + 1, startId);
  }

  /** Whether all copies that there should be hold the chosen state, whole. */
  public boolean isHealthy() {
    return decision == Decision.USABLE
        && findings.stream()
            .allMatch(finding -> finding.standing() == CopyFinding.Standing.CURRENT);
  }
}

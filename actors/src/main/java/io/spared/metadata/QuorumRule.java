package io.spared.metadata;

import io.spared.format.CopyPlace;
import io.spared.format.Placement;
import java.util.Set;
import java.util.function.Predicate;

/**
 * When a commit counts: a majority of the copies holds it, so that any two commits share a copy,
 * and a copy on every spare in service does, so that no spare can come back later and pass for
 * newest.
 */
class QuorumRule {
  /**
   * @param neededSpares the spares in service; one without any copy is not asked
   * @param holds whether the copy at a place holds the commit, durably
   */
  boolean isQuorum(Placement placement, Set<Integer> neededSpares, Predicate<CopyPlace> holds) {
    long holding = placement.places().stream().filter(holds).count();
    if (holding < placement.majority()) {
      return false;
    }
    for (int spare : placement.spares()) {
      if (neededSpares.contains(spare)
          && placement.places().stream()
              .noneMatch(place -> place.spare() == spare && holds.test(place))) {
        return false;
      }
    }
    return true;
  }
}

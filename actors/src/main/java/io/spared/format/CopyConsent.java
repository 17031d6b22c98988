package io.spared.format;

import java.util.Set;

/**
 * What a person allows for one start or repair.
 *
 * @param position the state to go on with, as a verdict showed it: consent to one state is not
 *     consent to another
 * @param withoutSpares spares in service that may be missing
 */
public record CopyConsent(Position position, Set<Integer> withoutSpares) {
  public CopyConsent {
    withoutSpares = Set.copyOf(withoutSpares);
  }
}

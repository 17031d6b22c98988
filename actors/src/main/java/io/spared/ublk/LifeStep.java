package io.spared.ublk;

import java.util.List;

/** What a fact led to, and what is to be done for it, in this order. */
record LifeStep(LifeState state, List<LifeEffect> effects) {
  LifeStep {
    effects = List.copyOf(effects);
  }
}

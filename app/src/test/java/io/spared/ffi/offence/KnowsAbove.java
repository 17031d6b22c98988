package io.spared.ffi.offence;

import io.spared.ring.Rings;

/** Part of ffi by its package, and knows what lies above. */
interface KnowsAbove {
  Rings rings();
}

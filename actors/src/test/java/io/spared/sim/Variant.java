package io.spared.sim;

import io.spared.mutation.BrokenCode;
import io.spared.mutation.BrokenCode.Edit;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A deliberately broken version of the production code: one place in one source file changed, or a
 * few together, as a real mistake would.
 *
 * @param name what is broken
 * @param kind the kind of run that is to catch it
 * @param edits what is changed
 * @param firstSeed where the build begins to look
 * @param isSeedKnown whether that one, or one shortly after it, was seen to catch it
 */
record Variant(String name, String kind, List<Edit> edits, long firstSeed, boolean isSeedKnown) {
  static final long FIRST_SEED = 40_000;

  Variant(String name, String kind, String file, String find, String put) {
    this(name, kind, List.of(new Edit(file, find, put)), FIRST_SEED, false);
  }

  /** The same with something else broken too. */
  Variant and(String file, String find, String put) {
    List<Edit> all = new ArrayList<>(edits);
    all.add(new Edit(file, find, put));
    return new Variant(name, kind, all, firstSeed, isSeedKnown);
  }

  Variant from(long seed) {
    return new Variant(name, kind, edits, seed, true);
  }

  BrokenCode load() throws IOException {
    return BrokenCode.of(name, edits);
  }
}

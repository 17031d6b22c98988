package io.spared.nbd.negotiation;

import io.spared.nbd.wire.NbdProtocol;
import java.util.List;

/** The contexts that block status can be asked for, and their identifiers on the wire. */
public final class MetaContexts {
  private MetaContexts() {}

  /** Per range: clean (0), or the bits below. */
  public static final String REMAP = "spared:remap";

  public static final int ALLOCATION_ID = 1;
  public static final int REMAP_ID = 2;

  /** The range lies in a slot of a spare. */
  public static final int STATE_REMAPPED = 1;

  /** The range is known to hold unreadable sectors and was not moved yet. */
  public static final int STATE_PENDING = 2;

  /** The range's content could not be saved: it reads as an error until it is written. */
  public static final int STATE_LOST = 4;

  private static final List<String> ALL = List.of(NbdProtocol.CONTEXT_ALLOCATION, REMAP);

  /** Which contexts a query of OPT_LIST_META_CONTEXT names: one, or all of a namespace. */
  static List<String> listed(String query) {
    return ALL.stream()
        .filter(
            context -> context.equals(query) || (query.endsWith(":") && context.startsWith(query)))
        .toList();
  }

  static List<String> all() {
    return ALL;
  }

  static int id(String context) {
    return context.equals(REMAP) ? REMAP_ID : ALLOCATION_ID;
  }
}

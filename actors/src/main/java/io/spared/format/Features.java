package io.spared.format;

import java.util.StringJoiner;

/**
 * Feature bits. A required feature that a reader does not know forbids any use; an optional one is
 * kept by writers that do not know it. This version defines none of either.
 */
final class Features {
  static final int REQUIRED_KNOWN = 0;

  private Features() {}

  static void check(int required, String what) throws FormatException {
    int unknown = required & ~REQUIRED_KNOWN;
    if (unknown != 0) {
      StringJoiner bits = new StringJoiner(", ");
      for (int bit = 0; bit < 32; bit++) {
        if ((unknown >>> bit & 1) != 0) {
          bits.add("bit " + bit);
        }
      }
      throw new FormatException(
          FormatException.Trouble.NEWER,
          what
              + " needs features that this version does not know ("
              + bits
              + "); use the version of spared that wrote it");
    }
  }
}

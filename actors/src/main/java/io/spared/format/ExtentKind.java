package io.spared.format;

/** What an extent is lent for. */
public enum ExtentKind {
  DATA(1),
  METADATA(2);

  private final int code;

  ExtentKind(int code) {
    this.code = code;
  }

  /** As written on disk. */
  int code() {
    return code;
  }

  static ExtentKind of(int code) throws FormatException {
    for (ExtentKind kind : values()) {
      if (kind.code == code) {
        return kind;
      }
    }
    throw new FormatException("kind " + code + " of an extent is unknown");
  }
}

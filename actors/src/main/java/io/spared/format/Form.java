package io.spared.format;

/** The form of a set-up. */
public enum Form {
  /** Main keeps its data where it is; no byte of it changes. */
  ADOPT(1),
  /** A label stands at the end of main. */
  LABELLED(2),
  /** The spare is the tail of main. */
  SELF_SPARE(3);

  private final int code;

  Form(int code) {
    this.code = code;
  }

  /** As written on disk. */
  int code() {
    return code;
  }

  static Form of(int code) throws FormatException {
    for (Form form : values()) {
      if (form.code == code) {
        return form;
      }
    }
    throw new FormatException("form " + code + " of a set-up is unknown");
  }
}

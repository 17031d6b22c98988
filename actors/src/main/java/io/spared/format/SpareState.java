package io.spared.format;

/** How a spare stands with a device. */
public enum SpareState {
  /** Its slots are used; a start needs it, and a quorum includes a copy on it. */
  IN_SERVICE(1),
  /** As in service, but takes no new blocks: it is being left. */
  EVACUATING(2),
  /** Given up: blocks on it are unreadable, starts and quorums do without it. */
  LOST(3);

  private final int code;

  SpareState(int code) {
    this.code = code;
  }

  /** As written on disk. */
  int code() {
    return code;
  }

  /** Whether starts and quorums need it. */
  public boolean isNeeded() {
    return this != LOST;
  }

  static SpareState of(int code) throws FormatException {
    for (SpareState state : values()) {
      if (state.code == code) {
        return state;
      }
    }
    throw new FormatException("spare state " + code + " is unknown");
  }
}

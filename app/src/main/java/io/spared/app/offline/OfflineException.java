package io.spared.app.offline;

/** Why a tool did nothing, or stopped: one sentence. */
public final class OfflineException extends Exception {
  private static final long serialVersionUID = 1L;

  public OfflineException(String sentence) {
    super(sentence);
  }
}

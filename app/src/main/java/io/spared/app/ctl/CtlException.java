package io.spared.app.ctl;

/** A command ends with one sentence and an exit code. */
final class CtlException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  CtlException(int exitCode, String sentence) {
    super(sentence);
    this.exitCode = exitCode;
  }

  int exitCode() {
    return exitCode;
  }
}

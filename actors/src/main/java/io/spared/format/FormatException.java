package io.spared.format;

/** Bytes that are not what they should be; the message is one sentence that says which and why. */
public final class FormatException extends Exception {
  public FormatException(String sentence) {
    super(sentence);
  }
}

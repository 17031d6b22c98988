package io.spared.format;

/** Bytes that are not what they should be; the message is one sentence that says which and why. */
public final class FormatException extends Exception {
  /** What kind of trouble, for decisions. */
  public enum Trouble {
    /** Nothing of ours stands here. */
    BLANK,
    /** Ours, and damaged. */
    DAMAGED,
    /** Whole, and of a version or with a required feature that this version does not know. */
    NEWER,
    /** Whole, and of another device, disk, copy or place. */
    FOREIGN
  }

  private final Trouble trouble;
  private final String sentence;

  public FormatException(String sentence) {
    this(Trouble.DAMAGED, sentence);
  }

  public FormatException(Trouble trouble, String sentence) {
    super(sentence);
    this.trouble = trouble;
    this.sentence = sentence;
  }

  public String sentence() {
    return sentence;
  }

  public Trouble trouble() {
    return trouble;
  }
}

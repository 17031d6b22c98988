package io.spared.nbd.negotiation;

import java.util.List;

/** The answer to a {@link Question}. */
public sealed interface Answer {
  record Names(List<Name> names) implements Answer {
    public Names {
      names = List.copyOf(names);
    }
  }

  record Name(String name, String description) {}

  record Found(ExportDescription export) implements Answer {}

  record Opened() implements Answer {}

  /** No, and why, in a sentence that the client is shown. */
  record Refused(Refusal refusal, String sentence) implements Answer {}

  /** The kinds of no. */
  enum Refusal {
    /** No such export. */
    UNKNOWN,
    /** There is one, and this client may not use it. */
    NOT_ALLOWED,
    /** It is stopping. */
    SHUTTING_DOWN,
    /** It is not being served now. */
    UNAVAILABLE
  }
}

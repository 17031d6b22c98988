package io.spared.monitor;

import java.time.Instant;
import java.util.Map;

/**
 * Something that happened, for people and for programs: one sentence, a stable kind, and its facts
 * by name.
 *
 * @param sequence counts from 1 within one run of the daemon; 0 until the monitor gives it
 * @param device the device's name, or empty when it is about the host
 * @param kind such as {@code remap.committed}; names do not change
 */
public record Event(
    long sequence,
    Instant time,
    Severity severity,
    String device,
    String kind,
    String sentence,
    Map<String, String> facts) {

  /** How loud. */
  public enum Severity {
    DEBUG,
    INFO,
    NOTICE,
    WARNING,
    ERROR,
    CRITICAL
  }

  public Event {
    facts = Map.copyOf(facts);
  }

  Event numbered(long sequence, Instant time) {
    return new Event(sequence, time, severity, device, kind, sentence, facts);
  }
}

package io.spared.monitor;

import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;

/** What the monitor is told and asked. */
public sealed interface MonitorCommand {

  /** Something happened. The monitor numbers and dates it. */
  record Happened(
      Event.Severity severity,
      String device,
      String kind,
      String sentence,
      Map<String, String> facts)
      implements MonitorCommand {
    public Happened(Event.Severity severity, String device, String kind, String sentence) {
      this(severity, device, kind, sentence, Map.of());
    }
  }

  /** A condition that lasts: raised once, however often it is told, until it is cleared. */
  record Raise(Event.Severity severity, String device, String kind, String sentence)
      implements MonitorCommand {}

  /** The condition is over. */
  record Clear(String device, String kind) implements MonitorCommand {}

  /** Nothing of this device lasts any more: it was removed. */
  record Forget(String device) implements MonitorCommand {}

  /** Somebody did or decided something: written to the audit log as well. */
  record Audit(String who, String device, String action, String outcome)
      implements MonitorCommand {}

  /** The last events, oldest first, those after a sequence. */
  record Recent(long afterSequence, int most, ActorRef<List<Event>> replyTo)
      implements MonitorCommand {}

  /** What lasts now. */
  record Alerts(ActorRef<List<Event>> replyTo) implements MonitorCommand {}

  /**
   * Every event from now on. A subscriber that stops is forgotten; one that is slow must drop by
   * itself.
   */
  record Subscribe(ActorRef<Event> subscriber) implements MonitorCommand {}

  /** The last events, and then every one from now on. */
  record Replay(int last, ActorRef<Event> subscriber) implements MonitorCommand {}

  record Unsubscribe(ActorRef<Event> subscriber) implements MonitorCommand {}

  /** How many events of each kind there were since the start, for metrics. */
  record Counts(ActorRef<Map<String, Long>> replyTo) implements MonitorCommand {}
}

package io.spared.monitor;

import io.spared.ffi.world.Clock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/**
 * Keeps the last events, the conditions that last, and tells subscribers. It decides nothing.
 *
 * <p>Bounded: {@link #KEPT} events, {@link #MOST_ALERTS} alerts, {@link #MOST_SUBSCRIBERS}
 * subscribers, {@link #MOST_KINDS} kinds. A crash of it loses history only; it is restarted, and
 * what lasts is raised again by whoever sees it next.
 */
public final class Monitor extends AbstractBehavior<MonitorCommand> {
  /** Enough for a bad night, small enough not to matter (a few hundred bytes each). */
  public static final int KEPT = 4096;

  private static final int MOST_ALERTS = 4096;
  private static final int MOST_SUBSCRIBERS = 256;
  private static final int MOST_KINDS = 512;

  private final Clock clock;
  private final AuditLog auditLog;
  private final ArrayDeque<Event> events = new ArrayDeque<>();
  private final Map<String, Event> alerts = new LinkedHashMap<>();
  private final Map<String, Long> counts = new TreeMap<>();
  private final Set<ActorRef<Event>> subscribers = new LinkedHashSet<>();
  private long lastSequence;

  private Monitor(ActorContext<MonitorCommand> context, Clock clock, AuditLog auditLog) {
    super(context);
    this.clock = clock;
    this.auditLog = auditLog;
  }

  public static Behavior<MonitorCommand> create(Clock clock, AuditLog auditLog) {
    return Behaviors.setup(context -> new Monitor(context, clock, auditLog));
  }

  @Override
  public Receive<MonitorCommand> createReceive() {
    return newReceiveBuilder().onMessage(MonitorCommand.class, this::on).build();
  }

  private Behavior<MonitorCommand> on(MonitorCommand command) {
    switch (command) {
      case MonitorCommand.Happened e ->
          publish(e.severity(), e.device(), e.kind(), e.sentence(), e.facts());
      case MonitorCommand.Raise raise -> raise(raise);
      case MonitorCommand.Clear clear -> clear(clear.device(), clear.kind());
      case MonitorCommand.Forget forget ->
          alerts.values().removeIf(alert -> alert.device().equals(forget.device()));
      case MonitorCommand.Audit audit -> {
        auditLog.write(clock.now(), audit.who(), audit.device(), audit.action(), audit.outcome());
        publish(
            Event.Severity.INFO,
            audit.device(),
            "audit",
            audit.who() + ": " + audit.action() + ": " + audit.outcome(),
            Map.of());
      }
      case MonitorCommand.Recent recent ->
          recent.replyTo().tell(last(recent.afterSequence(), recent.most()));
      case MonitorCommand.Alerts ask -> ask.replyTo().tell(List.copyOf(alerts.values()));
      case MonitorCommand.Subscribe subscribe -> subscribe(subscribe.subscriber());
      case MonitorCommand.Replay replay -> {
        for (Event event : last(0, replay.last())) {
          replay.subscriber().tell(event);
        }
        subscribe(replay.subscriber());
      }
      case MonitorCommand.Unsubscribe gone -> {
        if (subscribers.remove(gone.subscriber())) {
          getContext().unwatch(gone.subscriber());
        }
      }
      case MonitorCommand.Counts ask -> ask.replyTo().tell(Map.copyOf(counts));
    }
    return this;
  }

  private void raise(MonitorCommand.Raise raise) {
    String key = key(raise.device(), raise.kind());
    Event known = alerts.get(key);
    if (known != null
        && known.sentence().equals(raise.sentence())
        && known.severity() == raise.severity()) {
      return;
    }
    Event event =
        publish(raise.severity(), raise.device(), raise.kind(), raise.sentence(), Map.of());
    if (known != null || alerts.size() < MOST_ALERTS) {
      alerts.put(key, event);
    }
  }

  private void clear(String device, String kind) {
    Event over = alerts.remove(key(device, kind));
    if (over != null) {
      publish(
          Event.Severity.NOTICE, device, kind + ".cleared", "over: " + over.sentence(), Map.of());
    }
  }

  private Event publish(
      Event.Severity severity,
      String device,
      String kind,
      String sentence,
      Map<String, String> facts) {
    Event event =
        new Event(0, clock.now(), severity, device, kind, sentence, facts)
            .numbered(++lastSequence, clock.now());
    events.add(event);
    if (events.size() > KEPT) {
      events.remove();
    }
    if (counts.containsKey(kind) || counts.size() < MOST_KINDS) {
      counts.merge(kind, 1L, Long::sum);
    }
    String line = device.isEmpty() ? sentence : device + ": " + sentence;
    switch (severity) {
      case DEBUG -> getContext().getLog().debug(line);
      case INFO, NOTICE -> getContext().getLog().info(line);
      case WARNING -> getContext().getLog().warn(line);
      case ERROR, CRITICAL -> getContext().getLog().error(line);
    }
    for (ActorRef<Event> subscriber : subscribers) {
      subscriber.tell(event);
    }
    return event;
  }

  private void subscribe(ActorRef<Event> subscriber) {
    if (subscribers.size() < MOST_SUBSCRIBERS && subscribers.add(subscriber)) {
      getContext().watchWith(subscriber, new MonitorCommand.Unsubscribe(subscriber));
    }
  }

  private List<Event> last(long afterSequence, int atMost) {
    List<Event> chosen = new ArrayList<>();
    for (Event event : events) {
      if (event.sequence() > afterSequence) {
        chosen.add(event);
      }
    }
    int most = Math.clamp(atMost, 0, KEPT);
    return List.copyOf(chosen.subList(Math.max(0, chosen.size() - most), chosen.size()));
  }

  private static String key(String device, String kind) {
    return device + "\n" + kind;
  }
}

package io.spared.sim;

import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.host.HostCommand;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * Requires that people are told: a device that failed or is degraded has said so as an event of the
 * right severity, every trouble that lasts is an alert, and an alert about a trouble does not
 * outlive it.
 */
final class AlertWatch {
  private static final int EVENTS_KEPT = 4096;

  /** Status and events travel apart; this is long for both. */
  private static final Duration SLACK = Duration.ofMillis(500);

  private final CoreSetup setup;
  private final SimWorld world;
  private final ActorContext<Runnable> context;
  private final Set<String> told = new HashSet<>();
  private @Nullable ActorRef<MonitorCommand> monitor;
  private List<String> troubles = List.of();
  private long troublesSinceNanos;
  private @Nullable Phase phase;

  AlertWatch(CoreSetup setup, ActorContext<Runnable> context, ActorRef<HostCommand> host) {
    this.setup = setup;
    this.world = setup.world;
    this.context = context;
    ActorRef<Event> events =
        context.spawn(
            Behaviors.receive(Event.class).onAnyMessage(this::told).build(), setup.named("events"));
    ActorRef<ActorRef<MonitorCommand>> found =
        context.spawnAnonymous(
            Behaviors.receiveMessage(actor -> {
              monitor = actor;
              actor.tell(new MonitorCommand.Replay(EVENTS_KEPT, events));
              return Behaviors.stopped();
            }));
    host.tell(new HostCommand.GetMonitor(found));
  }

  private org.apache.pekko.actor.typed.Behavior<Event> told(Event event) {
    world.coverage().hit("event." + event.kind());
    world
        .trace()
        .line(() -> world.nowNanos() + " event " + event.severity() + " " + event.sentence());
    told.add(event.device() + " " + event.kind() + " " + event.severity());
    return Behaviors.same();
  }

  /** What a status says has to be told, too. */
  void seen(DeviceStatus status) {
    if (!status.troubles().equals(troubles)) {
      troubles = status.troubles();
      troublesSinceNanos = world.nowNanos();
    }
    if (status.phase() != phase) {
      phase = status.phase();
      if (phase == Phase.FAILED) {
        mustBeTold(status, "device.failed " + Event.Severity.CRITICAL);
      } else if (phase == Phase.DEGRADED) {
        mustBeTold(status, "device.degraded " + Event.Severity.WARNING);
      }
    }
    ActorRef<MonitorCommand> to = monitor;
    if (to != null && world.nowNanos() - troublesSinceNanos > SLACK.toNanos()) {
      // Not each time: it is asked again before the end.
      if (world.random().chance(0.02)) {
        compare(status.name(), to);
      }
    }
  }

  private void mustBeTold(DeviceStatus status, String what) {
    context.scheduleOnce(
        SLACK,
        context.getSelf(),
        () -> {
          if (monitor != null && !told.contains(status.name() + " " + what)) {
            setup.truth.violated(
                "it is " + status.phase() + " (" + status.sentence() + ") and no event said so");
          }
        });
  }

  /** Alerts about troubles are those that the device has, neither more nor fewer. */
  private void compare(String device, ActorRef<MonitorCommand> to) {
    long since = troublesSinceNanos;
    int wanted = troubles.size();
    ActorRef<List<Event>> answer =
        context.spawnAnonymous(
            Behaviors.receiveMessage(alerts -> {
              long lasting =
                  alerts.stream()
                      .filter(a -> a.device().equals(device) && a.kind().startsWith("trouble."))
                      .count();
              if (since == troublesSinceNanos && lasting != wanted) {
                setup.truth.violated(
                    "the device has the troubles "
                        + troubles
                        + " for long, and the alerts are "
                        + alerts.stream().map(a -> a.kind() + ": " + a.sentence()).toList());
              }
              world.coverage().hit(wanted > 0 ? "alerts.asThereAreTroubles" : "alerts.none");
              return Behaviors.stopped();
            }));
    to.tell(new MonitorCommand.Alerts(answer));
  }
}

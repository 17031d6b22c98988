package io.spared.host;

import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.Life;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Asks every device for its status and answers once, with what came in time. */
final class Gathering {
  private Gathering() {}

  sealed interface Message {}

  record Answered(DeviceStatus status) implements Message {}

  record Overdue() implements Message {}

  static Behavior<Message> create(
      Map<String, ActorRef<DeviceCommand>> devices,
      List<DeviceStatus> known,
      Duration wait,
      Consumer<List<DeviceStatus>> whenDone) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          Map<String, ActorRef<DeviceCommand>> awaited = new TreeMap<>(devices);
          List<DeviceStatus> statuses = new ArrayList<>(known);
          if (awaited.isEmpty()) {
            whenDone.accept(statuses);
            return Behaviors.stopped();
          }
          timers.startSingleTimer(new Overdue(), wait);
          ActorRef<DeviceStatus> inbox = context.messageAdapter(DeviceStatus.class, Answered::new);
          awaited.values().forEach(device -> device.tell(new DeviceCommand.GetStatus(inbox)));
          return Behaviors.receive(Message.class)
              .onMessage(
                  Answered.class,
                  answered -> {
                    statuses.add(answered.status());
                    awaited.remove(answered.status().name());
                    if (!awaited.isEmpty()) {
                      return Behaviors.same();
                    }
                    whenDone.accept(statuses);
                    return Behaviors.stopped();
                  })
              .onMessage(
                  Overdue.class,
                  late -> {
                    awaited.keySet().forEach(name -> statuses.add(silent(name, "does not answer")));
                    whenDone.accept(statuses);
                    return Behaviors.stopped();
                  })
              .build();
        }));
  }

  /** A device whose actor is gone. */
  static DeviceStatus silent(DeviceSettings settings, Life life) {
    return silent(settings.name(), life.sentence());
  }

  private static DeviceStatus silent(String name, String sentence) {
    return new DeviceStatus(
        name,
        "",
        "",
        io.spared.device.Phase.FAILED,
        sentence,
        false,
        List.of(),
        0,
        0,
        0,
        "",
        "",
        0,
        List.of(),
        new DeviceStatus.Copies(0, 0, false, List.of()),
        new DeviceStatus.Remaps(0, 0, 0, 0, 0, 0, 0),
        DeviceStatus.Traffic.NONE,
        DeviceStatus.Commits.NONE,
        new DeviceStatus.Repairs(false, 0, 0, 0, Optional.empty()),
        new DeviceStatus.Scrubs(
            0, Optional.empty(), Optional.empty(), 0, Optional.empty(), 0, false),
        List.of(),
        0,
        Optional.empty(),
        Map.of(),
        Optional.empty());
  }
}

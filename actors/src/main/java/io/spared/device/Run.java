package io.spared.device;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;

/**
 * One assembling of a device and the serving that follows: everything that was begun for it carries
 * its number and ends with it.
 */
final class Run {
  final long number;
  final DeviceParts parts;
  final DeviceSettings settings;
  private final ActorContext<DeviceCommand> context;
  private final TimerScheduler<DeviceCommand> timers;
  private int made;
  private final Map<ActorRef<?>, String> children = new LinkedHashMap<>();

  Run(
      long number,
      DeviceParts parts,
      DeviceSettings settings,
      ActorContext<DeviceCommand> context,
      TimerScheduler<DeviceCommand> timers) {
    this.number = number;
    this.parts = parts;
    this.settings = settings;
    this.context = context;
    this.timers = timers;
  }

  void tell(DeviceNews news) {
    context.getSelf().tell(news);
  }

  ActorRef<DeviceCommand> self() {
    return context.getSelf();
  }

  long nowNanos() {
    return parts.world().clock().nanoTime();
  }

  /** A part of the device, on its ring. Its crash becomes {@link DeviceNews.PartCrashed}. */
  <T> ActorRef<T> spawn(Behavior<T> behavior, String part) {
    ActorRef<T> child =
        context.spawn(behavior, part + "-" + number, DispatcherSelector.sameAsParent());
    children.put(child, part);
    context.watch(child);
    return child;
  }

  /** A name for a part that may be made more than once. */
  String unique(String part) {
    return part + "~" + ++made;
  }

  /** The name of a part that has ended, or null when it is not of this run. */
  @org.jspecify.annotations.Nullable
  String ended(ActorRef<?> child) {
    return children.remove(child);
  }

  /** An address for messages of another protocol, which arrive as news of this run. */
  <T> ActorRef<T> inbox(Class<T> type, String name, Function<T, DeviceNews> news) {
    Behavior<T> forward =
        Behaviors.receive(type)
            .onMessage(
                type,
                message -> {
                  context.getSelf().tell(news.apply(message));
                  return Behaviors.same();
                })
            .build();
    ActorRef<T> child =
        context.spawn(forward, "from-" + name + "-" + number, DispatcherSelector.sameAsParent());
    children.put(child, "from-" + name);
    return child;
  }

  /** The news comes after the delay, unless another with the same key replaces it. */
  void later(Object key, long delayNanos, DeviceNews news) {
    timers.startSingleTimer(key, news, Duration.ofNanos(Math.max(1, delayNanos)));
  }

  void notLater(Object key) {
    timers.cancel(key);
  }

  /** This part ends by itself, having been told to: it is not stopped, and its end is no news. */
  void leave(ActorRef<?> child) {
    if (children.remove(child) != null) {
      context.unwatch(child);
    }
  }

  /** Whatever still runs ends now. */
  void end() {
    children.keySet().forEach(context::stop);
    children.clear();
    timers.cancelAll();
  }
}

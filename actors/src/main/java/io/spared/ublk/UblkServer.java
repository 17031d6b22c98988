package io.spared.ublk;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.ublk.UblkDeviceInfo;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a device served as a block device for as long as it may be: waits until it is ready, takes
 * back what a dead daemon left under its identity or adds it, and begins again when the frontend
 * ended without being asked to.
 *
 * <p>It is stopped before its device is drained: a block device is removed while its queues still
 * serve, since removing it flushes it.
 */
public final class UblkServer extends AbstractBehavior<UblkServer.Message> {
  private static final Duration AGAIN = Duration.ofSeconds(2);

  /** What it is told. */
  public sealed interface Message {}

  /**
   * Remove the block device, then stop its device, which answers.
   *
   * @param force also while somebody uses it
   */
  public record Stop(boolean force, long drainNanos, ActorRef<Answer> replyTo) implements Message {}

  private record Described(DeviceCommand.Description description) implements Message {}

  private record Found(UblkFinder.Found found) implements Message {}

  private record Told(UblkReport report) implements Message {}

  private enum Again implements Message {
    INSTANCE
  }

  private final UblkHost host;
  private final String name;
  private final ActorRef<DeviceCommand> device;
  private final Duration drain;
  private final TimerScheduler<Message> timers;
  private DeviceCommand.@Nullable Description description;
  private @Nullable ActorRef<FrontendMessage> frontend;
  private @Nullable Stop stopping;
  private long spawned;

  public static Behavior<Message> create(
      UblkHost host, String name, ActorRef<DeviceCommand> device, Duration drain) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new UblkServer(context, timers, host, name, device, drain)));
  }

  private UblkServer(
      ActorContext<Message> context,
      TimerScheduler<Message> timers,
      UblkHost host,
      String name,
      ActorRef<DeviceCommand> device,
      Duration drain) {
    super(context);
    this.drain = drain;
    this.timers = timers;
    this.host = host;
    this.name = name;
    this.device = device;
    ask();
  }

  /** A device is known again by its name, which a host gives once (FNV-1a). */
  static long identity(String name) {
    long hash = 0xcbf29ce484222325L;
    for (byte b : ("spared " + name).getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    }
    return hash == 0 ? 1 : hash;
  }

  private void ask() {
    device.tell(
        new DeviceCommand.DescribeWhenReady(
            getContext().messageAdapter(DeviceCommand.Description.class, Described::new)));
  }

  @Override
  public Receive<Message> createReceive() {
    return newReceiveBuilder().onMessage(Message.class, this::on).build();
  }

  private Behavior<Message> on(Message message) {
    switch (message) {
      case Described m -> described(m.description());
      case Found m -> found(m.found());
      case Told m -> {
        return told(m.report());
      }
      case Again _ -> ask();
      case Stop stop -> {
        return stop(stop);
      }
    }
    return this;
  }

  private void described(DeviceCommand.Description told) {
    if (!told.phase().serves()) {
      timers.startSingleTimer(Again.INSTANCE, AGAIN);
      return;
    }
    description = told;
    getContext()
        .spawn(
            UblkFinder.create(
                host, getContext().messageAdapter(UblkFinder.Found.class, Found::new)),
            "finder-" + ++spawned,
            host.control().dispatcher());
  }

  private void found(UblkFinder.Found found) {
    DeviceCommand.Description known = description;
    if (known == null || frontend != null || stopping != null) {
      return;
    }
    long identity = identity(name);
    int number = UblkDeviceInfo.ANY_NUMBER;
    for (UblkDeviceInfo device : found.devices()) {
      if (device.tag() == identity) {
        number = device.number();
      }
    }
    DiskGeometry habits =
        new DiskGeometry(
            known.sizeBytes(),
            known.sectorBytes(),
            Math.max(4096, known.sectorBytes()),
            known.discard() ? known.blockBytes() : 0,
            known.rotational(),
            true,
            0);
    frontend =
        getContext()
            .spawn(
                UblkFrontend.create(
                    host,
                    UblkSettings.standard(identity)
                        .withNumber(number)
                        .withStopDeadline(drain.dividedBy(3))
                        .withReadOnly(known.readOnly()),
                    new UblkShape(
                        known.sizeBytes(),
                        known.sectorBytes(),
                        known.blockBytes(),
                        habits,
                        List.of(habits)),
                    number != UblkDeviceInfo.ANY_NUMBER,
                    device,
                    getContext().messageAdapter(UblkReport.class, Told::new)),
                "frontend-" + ++spawned,
                host.control().dispatcher());
  }

  private Behavior<Message> told(UblkReport report) {
    switch (report) {
      case UblkReport.Serving serving ->
          getContext().getLog().info("{} is served as /dev/ublkb{}", name, serving.number());
      case UblkReport.StopRefused refused -> {
        Stop asked = stopping;
        stopping = null;
        if (asked != null) {
          asked.replyTo().tell(new Answer.Refused(refused.sentence()));
        }
      }
      case UblkReport.Ended ended -> {
        frontend = null;
        Stop asked = stopping;
        if (asked != null) {
          device.tell(
              new DeviceCommand.Stop(asked.force(), asked.drainNanos() / 2, asked.replyTo()));
          return Behaviors.stopped();
        }
        getContext().getLog().warn("{} is not served: {}", name, ended.sentence());
        timers.startSingleTimer(Again.INSTANCE, AGAIN);
      }
    }
    return this;
  }

  private Behavior<Message> stop(Stop stop) {
    ActorRef<FrontendMessage> serving = frontend;
    if (stopping != null) {
      stop.replyTo().tell(new Answer.Refused(name + " is being stopped already"));
      return this;
    }
    if (serving == null) {
      device.tell(new DeviceCommand.Stop(stop.force(), stop.drainNanos(), stop.replyTo()));
      return Behaviors.stopped();
    }
    stopping = stop;
    serving.tell(new FrontendMessage.Stop(!stop.force()));
    return this;
  }
}

package io.spared.ublk;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.ublk.UblkDeviceInfo;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
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
   * @param leave whether the block device stays, waiting for the next daemon
   */
  public record Stop(boolean force, boolean leave, long drainNanos, ActorRef<Answer> replyTo)
      implements Message {}

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
  private final DeviceSettings.BlockDevice block;
  private final TimerScheduler<Message> timers;
  private DeviceCommand.@Nullable Description description;
  private @Nullable ActorRef<FrontendMessage> frontend;
  private @Nullable Stop stopping;
  private long spawned;

  public static Behavior<Message> create(
      UblkHost host, DeviceSettings settings, ActorRef<DeviceCommand> device) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new UblkServer(context, timers, host, settings, device)));
  }

  private UblkServer(
      ActorContext<Message> context,
      TimerScheduler<Message> timers,
      UblkHost host,
      DeviceSettings settings,
      ActorRef<DeviceCommand> device) {
    super(context);
    this.drain = settings.deadlines().drain();
    this.block = settings.block();
    this.timers = timers;
    this.host = host;
    this.name = settings.name();
    this.device = device;
    ask();
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
    UUID deviceId = known == null ? null : known.deviceId().orElse(null);
    if (known == null || deviceId == null || frontend != null || stopping != null) {
      return;
    }
    long identity = UblkIdentity.of(deviceId);
    int left = UblkDeviceInfo.ANY_NUMBER;
    for (UblkDeviceInfo there : found.devices()) {
      if (there.tag() == identity) {
        left = there.number();
      }
    }
    boolean recover = left != UblkDeviceInfo.ANY_NUMBER;
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
                    UblkSettings.of(identity, block)
                        .withNumber(recover ? left : block.number())
                        .withStopDeadline(drain.dividedBy(3))
                        .withReadOnly(known.readOnly()),
                    new UblkShape(
                        known.sizeBytes(),
                        known.sectorBytes(),
                        known.blockBytes(),
                        habits,
                        List.of(habits)),
                    recover,
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
    serving.tell(
        stop.leave() ? new FrontendMessage.HandOver() : new FrontendMessage.Stop(!stop.force()));
    return this;
  }
}

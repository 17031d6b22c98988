package io.spared.ublk;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.ffi.ublk.UblkDeviceInfo;
import java.time.Duration;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
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
 * <p>What it keeps:
 *
 * <ul>
 *   <li>Whoever stops the device stops it here: a block device is removed while the device's queues
 *       still serve, and only then is the device drained. Closing it for the last time writes back
 *       what the kernel holds of it, so a device that nobody uses holds nothing. With force it may
 *       be in use, and the driver fails all requests from the moment it is told to stop a device
 *       that can be recovered: so what the kernel holds is written back before. What programs write
 *       between the two without flushing is lost, which force means. Writing back ends at a third
 *       of the drain deadline, and what hangs is failed at the frontend's.
 *   <li>A frontend that ended, its crashes included, is followed by a new one.
 *   <li>A crash of this actor forgets everything, has the frontend remove the block device, and
 *       begins again.
 *   <li>A frontend that ends without a last report leaves a block device whose queues nobody
 *       serves: programs would wait for ever. Then, and when this actor crashes in dealing with a
 *       crash, it ends with a failure, and with it the daemon ({@link io.spared.host.Host}): the
 *       next one takes the block device back, and programs see a pause.
 * </ul>
 */
public final class UblkServer extends AbstractBehavior<UblkServer.Message> {
  private static final Duration AGAIN = Duration.ofSeconds(2);

  /** What it is told. */
  public sealed interface Message {}

  /**
   * Remove the block device, then stop its device, which answers.
   *
   * @param force also while somebody uses it
   * @param after what becomes of this actor and of the block device
   */
  public record Stop(boolean force, After after, long drainNanos, ActorRef<Answer> replyTo)
      implements Message {}

  /** What comes after a stop. */
  public enum After {
    /** The device may be started again, and is served again then. */
    REST,
    /** Nothing: the device is forgotten. */
    END,
    /** The same, and the block device stays, waiting for the next daemon. */
    END_AND_LEAVE
  }

  private record Described(DeviceCommand.Description description) implements Message {}

  private record Found(UblkFinder.Found found) implements Message {}

  private record Told(UblkReport report) implements Message {}

  /** However it ended; after its last report this says nothing new. */
  private record FrontendGone(ActorRef<FrontendMessage> frontend) implements Message {}

  private enum FinderGone implements Message {
    INSTANCE
  }

  /** The block device holds nothing any more, or it takes too long. */
  private record WrittenBack(Stop stop, String failure) implements Message {}

  private record DeviceStopped(Answer answer) implements Message {}

  /** Its actor ended; the next one has a server of its own. */
  private enum DeviceGone implements Message {
    INSTANCE
  }

  private enum Again implements Message {
    INSTANCE
  }

  private final UblkParts parts;
  private final String name;
  private final ActorRef<DeviceCommand> device;
  private final Duration drain;
  private final DeviceSettings.BlockDevice block;
  private final TimerScheduler<Message> timers;
  private DeviceCommand.@Nullable Description description;
  private @Nullable ActorRef<FrontendMessage> frontend;
  private @Nullable Stop stopping;
  private int number = UblkDeviceInfo.ANY_NUMBER;
  private boolean writingBack;
  private boolean deviceGone;
  private long spawned;

  public static Behavior<Message> create(
      UblkHost host, DeviceSettings settings, ActorRef<DeviceCommand> device) {
    return create(UblkParts.real(host), settings, device);
  }

  /** With other children: for tests of this actor alone. */
  static Behavior<Message> create(
      UblkParts parts, DeviceSettings settings, ActorRef<DeviceCommand> device) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new UblkServer(context, timers, parts, settings, device)));
  }

  private UblkServer(
      ActorContext<Message> context,
      TimerScheduler<Message> timers,
      UblkParts parts,
      DeviceSettings settings,
      ActorRef<DeviceCommand> device) {
    super(context);
    this.drain = settings.deadlines().drain();
    this.block = settings.block();
    this.timers = timers;
    this.parts = parts;
    this.name = settings.name();
    this.device = device;
    context.watchWith(device, DeviceGone.INSTANCE);
    ask();
  }

  private void ask() {
    device.tell(
        new DeviceCommand.DescribeWhenReady(
            getContext().messageAdapter(DeviceCommand.Description.class, Described::new)));
  }

  @Override
  public Receive<Message> createReceive() {
    return newReceiveBuilder().onMessage(Message.class, this::received).build();
  }

  private Behavior<Message> received(Message message) {
    if (message instanceof FrontendGone gone && gone.frontend().equals(frontend)) {
      throw new IllegalStateException("the frontend of " + name + " ended without a last report");
    }
    try {
      return on(message);
    } catch (RuntimeException e) {
      return crashed(e);
    }
  }

  private Behavior<Message> on(Message message) {
    return switch (message) {
      case Described m -> described(m.description());
      case Found m -> found(m.found());
      case Told m -> told(m.report());
      // Its last report came before.
      case FrontendGone _ -> this;
      case FinderGone _ -> finderGone();
      case Again _ -> {
        if (!deviceGone) {
          ask();
        }
        yield this;
      }
      case Stop stop -> stop(stop);
      case WrittenBack m -> writtenBack(m);
      case DeviceStopped m -> deviceStopped(m.answer());
      case DeviceGone _ -> deviceGone();
    };
  }

  private Behavior<Message> crashed(RuntimeException cause) {
    getContext().getLog().error("the server of {} crashed", name, cause);
    Stop asked = stopping;
    stopping = null;
    description = null;
    ActorRef<FrontendMessage> serving = frontend;
    if (serving == null) {
      timers.startSingleTimer(Again.INSTANCE, AGAIN);
    } else {
      serving.tell(new FrontendMessage.Stop(false));
    }
    if (asked != null) {
      asked
          .replyTo()
          .tell(
              new Answer.Refused(
                  "the server of " + name + "'s block device crashed; see the log, and try again"));
    }
    return this;
  }

  private Behavior<Message> described(DeviceCommand.Description told) {
    if (!told.phase().serves()) {
      timers.startSingleTimer(Again.INSTANCE, AGAIN);
      return this;
    }
    if (frontend != null || stopping != null) {
      return this;
    }
    description = told;
    ActorRef<Object> finder =
        getContext()
            .spawn(
                parts.finder(getContext().messageAdapter(UblkFinder.Found.class, Found::new)),
                "finder-" + ++spawned,
                parts.dispatcher());
    getContext().watchWith(finder, FinderGone.INSTANCE);
    return this;
  }

  /** If it had found nothing to say, it crashed. */
  private Behavior<Message> finderGone() {
    if (frontend == null && stopping == null && description != null) {
      timers.startSingleTimer(Again.INSTANCE, AGAIN);
    }
    return this;
  }

  private Behavior<Message> found(UblkFinder.Found found) {
    DeviceCommand.Description known = description;
    UUID deviceId = known == null ? null : known.deviceId().orElse(null);
    if (known == null || deviceId == null || frontend != null || stopping != null) {
      return this;
    }
    long identity = UblkIdentity.of(deviceId);
    int left = UblkDeviceInfo.ANY_NUMBER;
    for (UblkDeviceInfo there : found.devices()) {
      if (there.tag() == identity) {
        left = there.number();
      }
    }
    boolean recover = left != UblkDeviceInfo.ANY_NUMBER;
    ActorRef<FrontendMessage> begun =
        getContext()
            .spawn(
                parts.frontend(
                    UblkSettings.of(identity, block)
                        .withNumber(recover ? left : block.number())
                        .withStopDeadline(drain.dividedBy(3))
                        .withReadOnly(known.readOnly()),
                    new UblkShape(
                        known.sizeBytes(),
                        known.sectorBytes(),
                        known.blockBytes(),
                        known.disks().getFirst(),
                        known.disks()),
                    recover,
                    device,
                    getContext().messageAdapter(UblkReport.class, Told::new)),
                "frontend-" + ++spawned,
                parts.dispatcher());
    getContext().watchWith(begun, new FrontendGone(begun));
    frontend = begun;
    return this;
  }

  private Behavior<Message> told(UblkReport report) {
    switch (report) {
      case UblkReport.Serving serving -> {
        number = serving.number();
        getContext().getLog().info("{} is served as /dev/ublkb{}", name, number);
      }
      case UblkReport.StopRefused refused -> {
        Stop asked = stopping;
        stopping = null;
        if (asked != null) {
          asked.replyTo().tell(new Answer.Refused(refused.sentence()));
        }
        timers.startSingleTimer(Again.INSTANCE, AGAIN);
      }
      case UblkReport.Ended ended -> {
        return frontendEnded(ended.sentence());
      }
    }
    return this;
  }

  private Behavior<Message> frontendEnded(String why) {
    frontend = null;
    number = UblkDeviceInfo.ANY_NUMBER;
    if (deviceGone) {
      return endWithoutDevice();
    }
    Stop asked = stopping;
    if (asked != null) {
      stopDevice(asked, asked.drainNanos() / 2);
      return this;
    }
    getContext().getLog().warn("{} is not served: {}", name, why);
    timers.startSingleTimer(Again.INSTANCE, AGAIN);
    return this;
  }

  private Behavior<Message> stop(Stop stop) {
    if (stopping != null) {
      stop.replyTo().tell(new Answer.Refused(name + " is being stopped already"));
      return this;
    }
    stopping = stop;
    description = null;
    ActorRef<FrontendMessage> serving = frontend;
    if (serving == null) {
      stopDevice(stop, stop.drainNanos());
    } else if (stop.force()
        && stop.after() != After.END_AND_LEAVE
        && number != UblkDeviceInfo.ANY_NUMBER) {
      writeBack(stop);
    } else {
      serving.tell(
          stop.after() == After.END_AND_LEAVE
              ? new FrontendMessage.HandOver()
              : new FrontendMessage.Stop(!stop.force()));
    }
    return this;
  }

  private void writeBack(Stop stop) {
    writingBack = true;
    getContext()
        .spawn(
            parts.writeBack(
                number,
                getContext()
                    .messageAdapter(
                        UblkWriteBack.Done.class, done -> new WrittenBack(stop, done.failure()))),
            "write-back-" + ++spawned,
            DispatcherSelector.blocking());
    timers.startSingleTimer(
        new WrittenBack(stop, "it takes longer than a third of the drain deadline"),
        drain.dividedBy(3));
  }

  private Behavior<Message> writtenBack(WrittenBack told) {
    ActorRef<FrontendMessage> serving = frontend;
    if (!writingBack || !told.stop().equals(stopping) || serving == null) {
      return this;
    }
    writingBack = false;
    if (!told.failure().isEmpty()) {
      getContext()
          .getLog()
          .error(
              "{}: not everything that the kernel holds of its block device was written: {}",
              name,
              told.failure());
    }
    serving.tell(new FrontendMessage.Stop(false));
    return this;
  }

  /** Without a block device, or after its removal. */
  private void stopDevice(Stop stop, long drainNanos) {
    device.tell(
        new DeviceCommand.Stop(
            stop.force(),
            drainNanos,
            getContext().messageAdapter(Answer.class, DeviceStopped::new)));
  }

  private Behavior<Message> deviceStopped(Answer answer) {
    Stop asked = stopping;
    stopping = null;
    if (asked != null) {
      asked.replyTo().tell(answer);
      if (asked.after() != After.REST && answer instanceof Answer.Done) {
        return Behaviors.stopped();
      }
    }
    // When it is started again, or did not stop after all, it is served again.
    timers.startSingleTimer(Again.INSTANCE, AGAIN);
    return this;
  }

  private Behavior<Message> deviceGone() {
    deviceGone = true;
    ActorRef<FrontendMessage> serving = frontend;
    if (serving == null) {
      return endWithoutDevice();
    }
    serving.tell(new FrontendMessage.Stop(false));
    return this;
  }

  private Behavior<Message> endWithoutDevice() {
    if (stopping != null) {
      stopping
          .replyTo()
          .tell(new Answer.Refused(name + " crashed while it was being stopped; see the log"));
    }
    return Behaviors.stopped();
  }
}

package io.spared.ublk;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.ffi.disk.DiskUse;
import io.spared.ffi.ublk.UblkDeviceInfo;
import java.time.Duration;
import java.util.Optional;
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
 *       be in use: what the kernel holds is written back before ({@link UblkLife}), and what
 *       programs write after that without flushing is lost, which force means.
 *   <li>Without force nobody may use it. Who does is looked for; whom this process cannot see the
 *       driver refuses, where it can tell.
 *   <li>A daemon that ends removes what nobody uses and leaves the rest to the next daemon ({@link
 *       After#END_AND_LEAVE_IF_USED}). What is merely open is waited for, for a fifth of the drain
 *       deadline: udev looks at every new device for a moment. Before it is left nothing is written
 *       back: a thread of this process that waits in the kernel for a block device that nobody
 *       serves keeps the process from ending, and so the next daemon from taking it back. The
 *       kernel keeps what it holds until then.
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
  private static final Duration LOOKING = Duration.ofSeconds(2);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

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
    END_AND_LEAVE,
    /** One of the two: it stays if somebody uses it, and is removed if nobody does. */
    END_AND_LEAVE_IF_USED
  }

  private record Described(DeviceCommand.Description description) implements Message {}

  private record Found(UblkFinder.Found found) implements Message {}

  private record Told(UblkReport report) implements Message {}

  /** However it ended; after its last report this says nothing new. */
  private record FrontendGone(ActorRef<FrontendMessage> frontend) implements Message {}

  private enum FinderGone implements Message {
    INSTANCE
  }

  /** Who was seen to use the block device, or that looking takes too long. */
  private record Users(Stop stop, Optional<DiskUse> use) implements Message {}

  /** It was in use when it was to be stopped unused; look again. */
  private record LookAgain(Stop stop) implements Message {}

  /** Who only has it open has had it open for long. */
  private record PatienceOver(Stop stop) implements Message {}

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
  private boolean looking;
  private boolean patient;
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
      case Users m -> users(m);
      case LookAgain m -> {
        if (m.stop().equals(stopping) && frontend != null) {
          lookForUsers(m.stop());
        }
        yield this;
      }
      case PatienceOver m -> {
        patient &= !m.stop().equals(stopping);
        yield this;
      }
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
        if (asked != null) {
          used(asked, new DiskUse("open in a program", false), refused.sentence());
        }
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
    } else if (stop.after() == After.END_AND_LEAVE) {
      serving.tell(new FrontendMessage.HandOver());
    } else if (stop.force() && stop.after() != After.END_AND_LEAVE_IF_USED) {
      serving.tell(new FrontendMessage.Stop(false));
    } else if (number == UblkDeviceInfo.ANY_NUMBER) {
      serving.tell(new FrontendMessage.Stop(true));
    } else {
      patient = true;
      timers.startSingleTimer(new PatienceOver(stop), drain.dividedBy(5));
      lookForUsers(stop);
    }
    return this;
  }

  private void lookForUsers(Stop stop) {
    looking = true;
    getContext()
        .spawn(
            parts.users(
                number,
                getContext()
                    .messageAdapter(UblkUsers.Seen.class, seen -> new Users(stop, seen.use()))),
            "users-" + ++spawned,
            DispatcherSelector.blocking());
    // The driver may know more, and what hangs here tells nothing.
    timers.startSingleTimer(new Users(stop, Optional.empty()), LOOKING);
  }

  private Behavior<Message> users(Users told) {
    ActorRef<FrontendMessage> serving = frontend;
    if (!looking || !told.stop().equals(stopping) || serving == null) {
      return this;
    }
    looking = false;
    timers.cancel(new Users(told.stop(), Optional.empty()));
    if (told.use().isEmpty()) {
      serving.tell(new FrontendMessage.Stop(true));
    } else {
      DiskUse use = told.use().get();
      used(
          told.stop(),
          use,
          "/dev/ublkb"
              + number
              + " is in use, "
              + use.who()
              + "; end that first, or stop it with force");
    }
    return this;
  }

  /** It may not be removed now: refused, left to the next daemon, or looked at again. */
  private void used(Stop stop, DiskUse use, String refusal) {
    ActorRef<FrontendMessage> serving = frontend;
    if (stop.after() != After.END_AND_LEAVE_IF_USED) {
      stopping = null;
      stop.replyTo().tell(new Answer.Refused(refusal));
      timers.startSingleTimer(Again.INSTANCE, AGAIN);
    } else if (!use.lasting() && patient) {
      timers.startSingleTimer(new LookAgain(stop), LOOK_AGAIN);
    } else if (serving != null) {
      getContext()
          .getLog()
          .warn(
              "{}: /dev/ublkb{} is in use, {}, and is left: its users wait until the next daemon"
                  + " takes it back, so start it again; to take it down for good instead, failing"
                  + " what they wait for: spared ctl ublk remove {} --yes",
              name,
              number,
              use.who(),
              number);
      serving.tell(new FrontendMessage.HandOver());
    }
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

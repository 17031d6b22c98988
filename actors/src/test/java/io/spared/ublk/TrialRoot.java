package io.spared.ublk;

import io.spared.device.DeviceCommand;
import io.spared.ffi.Errno;
import io.spared.ffi.libc.NativeException;
import io.spared.format.Geometry;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.remap.RemapTable;
import io.spared.ring.Rings;
import io.spared.ring.SystemRings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/** What stands in for the device in {@link UblkTrial}: it claims the disk and opens queues. */
final class TrialRoot extends AbstractBehavior<TrialRoot.Message> {
  private static final Duration CLAIM_AGAIN = Duration.ofMillis(50);

  sealed interface Message {}

  record Input(String line) implements Message {}

  private record Opening(DeviceCommand command) implements Message {}

  private record Report(QueueReport report) implements Message {}

  private record Frontend(UblkReport report) implements Message {}

  private enum Claim implements Message {
    INSTANCE
  }

  private final Map<String, String> options;
  private final TimerScheduler<Message> timers;
  private final Rings rings;
  private final DeviceDoubts doubts = new DeviceDoubts();
  private final Map<Integer, ActorRef<QueueCommand>> queues = new HashMap<>();
  private @Nullable TrialDisk disk;
  private @Nullable Geometry geometry;
  private @Nullable RemapTable table;
  private @Nullable ActorRef<FrontendMessage> frontend;

  static Behavior<Message> create(Map<String, String> options) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new TrialRoot(context, timers, options)));
  }

  private TrialRoot(
      ActorContext<Message> context, TimerScheduler<Message> timers, Map<String, String> options) {
    super(context);
    this.options = options;
    this.timers = timers;
    this.rings = SystemRings.start(context.getSystem());
    if (option("wait", "no").equals("yes")) {
      UblkTrial.say("READY");
    } else {
      context.getSelf().tell(Claim.INSTANCE);
    }
  }

  private String option(String name, String otherwise) {
    return options.getOrDefault(name, otherwise);
  }

  private int number(String name, int otherwise) {
    return Integer.parseInt(option(name, "" + otherwise));
  }

  @Override
  public Receive<Message> createReceive() {
    return newReceiveBuilder()
        .onMessage(Message.class, this::on)
        .onSignal(
            PostStop.class,
            stop -> {
              if (disk != null) {
                disk.close();
              }
              return this;
            })
        .build();
  }

  private Behavior<Message> on(Message message) {
    switch (message) {
      case Claim _ -> {
        return claim();
      }
      case Opening opening -> {
        if (opening.command() instanceof DeviceCommand.OpenQueue open) {
          opened(open);
        }
      }
      case Report report -> {
        ActorRef<QueueCommand> queue = queues.get(report.report().queueId());
        if (queue != null) {
          answer(report.report(), queue);
        }
      }
      case Frontend told -> {
        return told(told.report());
      }
      case Input input -> told(input.line());
    }
    return this;
  }

  /** As the daemon does: EBUSY is a dead predecessor's I/O, and passes when that has ended. */
  private Behavior<Message> claim() {
    try {
      disk = new TrialDisk(Path.of(option("main", "")));
    } catch (NativeException e) {
      if (e.errno() == Errno.EBUSY) {
        timers.startSingleTimer(Claim.INSTANCE, CLAIM_AGAIN);
        return this;
      }
      UblkTrial.say("ENDED left=false " + e.getMessage());
      return Behaviors.stopped();
    }
    begin(disk);
    return this;
  }

  private void begin(TrialDisk claimed) {
    int sector = number("sector", claimed.geometry().logicalSectorBytes());
    Geometry shape = new Geometry(4096, sector, claimed.geometry().sizeBytes() / sector * sector);
    geometry = shape;
    table = new RemapTable(shape);
    fill(table);
    UblkSettings settings =
        UblkSettings.standard(0x5350_0000_5350_4152L)
            .withNumber(number("number", 0))
            .withQueues(number("queues", 2), number("depth", 128))
            .withCopying(
                UblkSettings.Copying.valueOf(
                    "BY_" + option("copying", "daemon").toUpperCase(Locale.ROOT)))
            .withLargestRequest(number("largest", 128 << 10))
            .withReadOnly(option("read-only", "no").equals("yes"));
    frontend =
        getContext()
            .spawn(
                UblkFrontend.create(
                    new UblkHost(
                        rings.ring(0),
                        rings,
                        UblkKernel.of(
                            UblkKernel.CONTROL_DEVICE, System.getProperty("os.version", ""))),
                    settings,
                    new UblkShape(
                        shape.deviceBytes(),
                        sector,
                        shape.blockBytes(),
                        claimed.geometry(),
                        List.of(claimed.geometry())),
                    option("recover", "no").equals("yes"),
                    getContext().messageAdapter(DeviceCommand.class, Opening::new),
                    getContext().messageAdapter(UblkReport.class, Frontend::new)),
                "frontend",
                rings.ring(0).dispatcher());
  }

  /** Remaps beside what is measured, as an old disk has them: no request may touch those. */
  private void fill(RemapTable map) {
    map.beginLoading();
    int first = number("first-remap", 0);
    for (int i = 0; i < number("remaps", 0); i++) {
      map.put(first + i, 0, i, 0, 0);
    }
    map.publish();
  }

  private void opened(DeviceCommand.OpenQueue open) {
    TrialDisk claimed = disk;
    RemapTable map = table;
    Geometry shape = geometry;
    if (claimed == null || map == null || shape == null) {
      throw new IllegalStateException("a queue before the disk");
    }
    int id = queues.size() + 1;
    if (id == number("refuse-queue", 0)) {
      open.replyTo().tell(new DeviceCommand.QueueOpening.NotOpened("the trial refuses it", false));
      return;
    }
    queues.put(id, open.frontend());
    open.replyTo()
        .tell(
            new DeviceCommand.QueueOpening.Opened(
                new QueueContext(
                    id,
                    shape,
                    map,
                    claimed,
                    Map.of(),
                    new QueuePolicy(
                        Duration.ofSeconds(Long.parseLong(option("deadline", "30"))),
                        2,
                        4096,
                        8192),
                    doubts,
                    report -> getContext().getSelf().tell(new Report(report)))));
  }

  private void told(String line) {
    ActorRef<FrontendMessage> serving = frontend;
    if (line.equals("go") && serving == null) {
      getContext().getSelf().tell(Claim.INSTANCE);
    } else if (serving == null) {
      UblkTrial.say("TOO EARLY " + line);
    } else {
      switch (line) {
        case "stop" -> serving.tell(new FrontendMessage.Stop(false));
        case "stop-if-unused" -> serving.tell(new FrontendMessage.Stop(true));
        case "crash-queue" ->
            getContext()
                .getSystem()
                .classicSystem()
                .actorSelection("/user/frontend/queue-0")
                .tell(
                    new UblkQueueMessage.ForQueue(nothing()),
                    org.apache.pekko.actor.ActorRef.noSender());
        case "crash-frontend" -> serving.tell(new FrontendMessage.WrittenBack(nothing()));
        case "leave" -> serving.tell(new FrontendMessage.HandOver());
        default -> UblkTrial.say("UNKNOWN " + line);
      }
    }
  }

  /** What no message may carry: whoever takes it crashes. */
  @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
  private static <T> T nothing() {
    return null;
  }

  private Behavior<Message> told(UblkReport report) {
    switch (report) {
      case UblkReport.Serving serving -> UblkTrial.say("SERVING /dev/ublkb" + serving.number());
      case UblkReport.StopRefused refused -> UblkTrial.say("REFUSED " + refused.sentence());
      case UblkReport.Ended end -> {
        UblkTrial.say("ENDED left=" + end.left() + " " + end.sentence());
        return Behaviors.stopped();
      }
    }
    return this;
  }

  /** What a device with no spares, no relocator and an honest disk says. */
  private static void answer(QueueReport report, ActorRef<QueueCommand> queue) {
    switch (report) {
      case QueueReport.Opened _ -> queue.tell(new QueueCommand.Begin(List.of()));
      case QueueReport.DiskDoubted doubted ->
          queue.tell(new QueueCommand.DiskProof(doubted.disk(), true));
      case QueueReport.WriteWaits waits ->
          queue.tell(new QueueCommand.Relocated(waits.write().ticket(), Errno.EIO));
      case QueueReport.FenceReached _,
          QueueReport.ReadFault _,
          QueueReport.DiskFailed _,
          QueueReport.InDoubt _,
          QueueReport.DoubtEnded _,
          QueueReport.FlushFailed _,
          QueueReport.MirrorReached _,
          QueueReport.RecordWanted _,
          QueueReport.OverlapEnded _,
          QueueReport.MirrorFailed _,
          QueueReport.MainTaken _,
          QueueReport.Frozen _,
          QueueReport.Counted _,
          QueueReport.Drained _,
          QueueReport.Closed _ ->
          UblkTrial.say("REPORT " + report);
    }
  }
}

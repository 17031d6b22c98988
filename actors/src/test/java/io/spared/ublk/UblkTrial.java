package io.spared.ublk;

import com.typesafe.config.ConfigFactory;
import io.spared.device.DeviceCommand;
import io.spared.format.Geometry;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.remap.RemapTable;
import io.spared.ring.SystemRings;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Serves one disk as one ublk device with the real frontend, queues and rings, and nothing else: no
 * metadata and no relocation, so that what the test VM shows is the frontend's alone. Commands come
 * on standard input: stop, stop-if-unused, leave. It says SERVING, REFUSED and ENDED.
 */
public final class UblkTrial {
  private UblkTrial() {}

  /** What the trial's root actor is told. */
  private sealed interface Message {
    record Opening(DeviceCommand command) implements Message {}

    record Report(QueueReport report) implements Message {}

    record Frontend(UblkReport report) implements Message {}

    record Input(String line) implements Message {}
  }

  /** Runs until the frontend has ended. */
  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i].substring(2), arguments[i + 1]);
    }
    TrialDisk disk = new TrialDisk(Path.of(options.getOrDefault("main", "")));
    CountDownLatch ended = new CountDownLatch(1);
    ActorSystem<Message> system =
        ActorSystem.create(root(options, disk, ended), "trial", ConfigFactory.load());
    Thread input =
        new Thread(() -> {
          try (var lines =
              new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
              system.tell(new Message.Input(line));
            }
          } catch (java.io.IOException e) {
            say("no more input: " + e.getMessage());
          }
        });
    input.setDaemon(true);
    input.start();
    ended.await();
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().join();
    disk.close();
    System.exit(0);
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static Behavior<Message> root(
      Map<String, String> options, TrialDisk disk, CountDownLatch ended) {
    return Behaviors.setup(context -> {
      var rings = SystemRings.start(context.getSystem());
      int sector =
          Integer.parseInt(
              options.getOrDefault("sector", "" + disk.geometry().logicalSectorBytes()));
      Geometry geometry = new Geometry(4096, sector, disk.geometry().sizeBytes() / sector * sector);
      UblkSettings settings =
          UblkSettings.standard(0x5350_4152L)
              .withNumber(Integer.parseInt(options.getOrDefault("number", "0")))
              .withQueues(
                  Integer.parseInt(options.getOrDefault("queues", "2")),
                  Integer.parseInt(options.getOrDefault("depth", "128")))
              .withCopying(
                  UblkSettings.Copying.valueOf(
                      "BY_" + options.getOrDefault("copying", "daemon").toUpperCase(Locale.ROOT)))
              .withLargestRequest(
                  Integer.parseInt(options.getOrDefault("largest", "" + (128 << 10))))
              .withReadOnly(options.getOrDefault("read-only", "no").equals("yes"));
      UblkShape shape =
          new UblkShape(
              geometry.deviceBytes(),
              sector,
              geometry.blockBytes(),
              disk.geometry(),
              List.of(disk.geometry()));
      ActorRef<FrontendMessage> frontend =
          context.spawn(
              UblkFrontend.create(
                  new UblkHost(
                      rings.ring(0), rings, UblkHost.CONTROL_DEVICE, UblkHost.DEVICE_DIRECTORY),
                  settings,
                  shape,
                  options.getOrDefault("recover", "no").equals("yes"),
                  context.messageAdapter(DeviceCommand.class, Message.Opening::new),
                  context.messageAdapter(UblkReport.class, Message.Frontend::new)),
              "frontend",
              rings.ring(0).dispatcher());
      RemapTable table = new RemapTable(geometry);
      DeviceDoubts doubts = new DeviceDoubts();
      QueuePolicy policy =
          new QueuePolicy(
              Duration.ofSeconds(Long.parseLong(options.getOrDefault("deadline", "30"))),
              2,
              4096,
              8192);
      Map<Integer, ActorRef<QueueCommand>> queues = new HashMap<>();
      return Behaviors.receive(Message.class)
          .onMessage(
              Message.Opening.class,
              m -> {
                if (m.command() instanceof DeviceCommand.OpenQueue open) {
                  int id = queues.size() + 1;
                  queues.put(id, open.frontend());
                  open.replyTo()
                      .tell(
                          new DeviceCommand.QueueOpening.Opened(
                              new QueueContext(
                                  id,
                                  geometry,
                                  table,
                                  disk,
                                  Map.of(),
                                  policy,
                                  doubts,
                                  report -> context.getSelf().tell(new Message.Report(report)))));
                }
                return Behaviors.same();
              })
          .onMessage(
              Message.Report.class,
              m -> {
                ActorRef<QueueCommand> queue = queues.get(m.report().queueId());
                if (queue != null) {
                  answer(m.report(), queue);
                }
                return Behaviors.same();
              })
          .onMessage(
              Message.Input.class,
              m -> {
                switch (m.line()) {
                  case "stop" -> frontend.tell(new FrontendMessage.Stop(false));
                  case "stop-if-unused" -> frontend.tell(new FrontendMessage.Stop(true));
                  case "leave" -> frontend.tell(new FrontendMessage.HandOver());
                  default -> say("UNKNOWN " + m.line());
                }
                return Behaviors.same();
              })
          .onMessage(
              Message.Frontend.class,
              m -> {
                switch (m.report()) {
                  case UblkReport.Serving serving -> say("SERVING /dev/ublkb" + serving.number());
                  case UblkReport.StopRefused refused -> say("REFUSED " + refused.sentence());
                  case UblkReport.Ended end -> {
                    say("ENDED left=" + end.left() + " " + end.sentence());
                    ended.countDown();
                  }
                }
                return Behaviors.same();
              })
          .build();
    });
  }

  /** What a device with no spares, no relocator and an honest disk says. */
  private static void answer(QueueReport report, ActorRef<QueueCommand> queue) {
    switch (report) {
      case QueueReport.Opened _ -> queue.tell(new QueueCommand.Begin(List.of()));
      case QueueReport.DiskDoubted doubted ->
          queue.tell(new QueueCommand.DiskProof(doubted.disk(), true));
      case QueueReport.WriteWaits waits ->
          queue.tell(new QueueCommand.Relocated(waits.write().ticket(), io.spared.ffi.Errno.EIO));
      case QueueReport.FenceReached _,
          QueueReport.ReadFault _,
          QueueReport.DiskFailed _,
          QueueReport.InDoubt _,
          QueueReport.DoubtEnded _,
          QueueReport.FlushFailed _,
          QueueReport.Frozen _,
          QueueReport.Drained _,
          QueueReport.Closed _ ->
          say("REPORT " + report);
    }
  }
}

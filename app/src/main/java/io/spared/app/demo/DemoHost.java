package io.spared.app.demo;

import io.spared.app.Daemon;
import io.spared.app.config.ConfigReading;
import io.spared.app.config.DaemonConfig;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.ffi.world.World;
import io.spared.host.HostCommand;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The daemon of the demonstration: the real one, in this process, with files as disks. */
final class DemoHost implements AutoCloseable {
  private static final Duration WAIT = Duration.ofSeconds(15);

  private final Daemon daemon;

  private DemoHost(Daemon daemon) {
    this.daemon = daemon;
  }

  /** Starts the daemon over a directory that holds NAME-main.img and NAME-spare.img of devices. */
  static DemoHost start(Path directory, String... names) throws IOException {
    StringBuilder text = new StringBuilder("spared {\n");
    text.append("data-directory = \"").append(directory.resolve("data")).append("\"\n");
    text.append("control.socket = \"").append(directory.resolve("control.sock")).append("\"\n");
    text.append("nbd.listen = [\"unix:").append(directory.resolve("nbd.sock")).append("\"]\n");
    for (String name : names) {
      text.append("devices.").append(name).append(" {\n");
      text.append("main = \"fault:").append(main(directory, name)).append("\"\n");
      text.append("spares = [\"").append(spare(directory, name)).append("\"]\n");
      text.append("commit-timeout = 2 s\nrequest-deadline = 5 s\ndrain-deadline = 5 s\n}\n");
    }
    ConfigReading reading = ConfigReading.ofText(text.append("}\n").toString());
    Optional<DaemonConfig> config = reading.config();
    if (config.isEmpty()) {
      throw new IOException(
          "the demonstration's own configuration is wrong: " + reading.problems());
    }
    return new DemoHost(Daemon.start(Optional.empty(), config.get()));
  }

  static Path main(Path directory, String name) {
    return directory.resolve(name + "-main.img");
  }

  static Path spare(Path directory, String name) {
    return directory.resolve(name + "-spare.img");
  }

  static String uri(Path directory, String name) {
    return "nbd:unix:" + directory.resolve("nbd.sock") + ":" + name;
  }

  /** Every event from now on is given to the consumer, on a thread of the actors. */
  void follow(Consumer<Event> consumer) throws IOException {
    ActorRef<MonitorCommand> monitor = askHost(HostCommand.GetMonitor::new);
    ActorRef<Event> follower =
        daemon
            .system()
            .systemActorOf(
                Behaviors.receive(Event.class)
                    .onMessage(
                        Event.class,
                        event -> {
                          consumer.accept(event);
                          return Behaviors.same();
                        })
                    .build(),
                "demo-follower",
                Props.empty());
    monitor.tell(new MonitorCommand.Subscribe(follower));
  }

  DeviceStatus status(String name) throws IOException {
    return ask(name, DeviceCommand.GetStatus::new);
  }

  Answer command(String name, Function<ActorRef<Answer>, DeviceCommand> command)
      throws IOException {
    return ask(name, command);
  }

  Answer remove(String name) throws IOException {
    return askHost(replyTo -> new HostCommand.Remove(name, true, replyTo));
  }

  /** Waits until the device is as wanted; false when that takes too long. */
  boolean until(String name, Predicate<DeviceStatus> wanted, Duration patience) throws IOException {
    long end = World.real().clock().nanoTime() + patience.toNanos();
    while (World.real().clock().nanoTime() < end) {
      if (wanted.test(status(name))) {
        return true;
      }
      LockSupport.parkNanos(50_000_000L);
    }
    return false;
  }

  private <T> T ask(String name, Function<ActorRef<T>, DeviceCommand> question) throws IOException {
    Optional<ActorRef<DeviceCommand>> device =
        askHost(replyTo -> new HostCommand.Find(name, replyTo));
    if (device.isEmpty()) {
      throw new IOException("there is no device " + name);
    }
    return get(AskPattern.ask(device.get(), question::apply, WAIT, daemon.system().scheduler()));
  }

  private <T> T askHost(Function<ActorRef<T>, HostCommand> question) throws IOException {
    return get(AskPattern.ask(daemon.host(), question::apply, WAIT, daemon.system().scheduler()));
  }

  private static <T> T get(java.util.concurrent.CompletionStage<T> stage) throws IOException {
    try {
      return stage.toCompletableFuture().get(WAIT.toMillis() + 1000, TimeUnit.MILLISECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", interrupted);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IOException("the daemon did not answer: " + failed, failed);
    }
  }

  @Override
  public void close() {
    daemon.close();
  }
}

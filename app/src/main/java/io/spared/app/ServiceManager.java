package io.spared.app;

import io.spared.ffi.world.World;
import io.spared.host.HostCommand;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * What systemd is told. The watchdog is fed only by an answer of the host's actor, so a daemon
 * whose actors no longer answer is restarted.
 */
final class ServiceManager {
  private static final io.spared.ffi.system.ServiceManager MANAGER =
      io.spared.ffi.system.ServiceManager.ofThisProcess();

  /** What the last {@link #ready} said, for the end of a reload. */
  private static volatile String lastStatus = "";

  private ServiceManager() {}

  private record Ask() {}

  static void ready(String status) {
    lastStatus = status;
    MANAGER.ready(status);
  }

  /** Asks the host for its devices at half of the watchdog's time, and passes its answers on. */
  static void watch(ActorSystem<?> system, ActorRef<HostCommand> host) {
    MANAGER
        .watchdog()
        .ifPresent(watchdog ->
            system.systemActorOf(
                feeder(host, watchdog.dividedBy(2)),
                "service-manager",
                DispatcherSelector.defaultDispatcher()));
  }

  private static Behavior<Object> feeder(ActorRef<HostCommand> host, Duration pace) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          timers.startTimerWithFixedDelay(new Ask(), pace);
          return Behaviors.receiveMessage(message -> {
            if (message instanceof Ask) {
              host.tell(new HostCommand.Statuses(context.getSelf().narrow()));
            } else if (message instanceof List<?> statuses) {
              MANAGER.alive();
              MANAGER.status(statuses.size() + " devices");
            }
            return Behaviors.same();
          });
        }));
  }

  static void reloading() {
    MANAGER.reloading(World.real().clock());
  }

  static void reloaded() {
    MANAGER.ready(lastStatus);
  }

  static boolean isMachineStopping() {
    return MANAGER.isMachineStopping();
  }

  static void stopping() {
    MANAGER.stopping("draining");
  }
}

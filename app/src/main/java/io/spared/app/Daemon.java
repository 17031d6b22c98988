package io.spared.app;

import com.typesafe.config.ConfigFactory;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The daemon's process: starts the actors, says that it is ready, and ends when told to. */
final class Daemon {
  private Daemon() {}

  static int run(String[] arguments) {
    if (arguments.length > 0) {
      System.err.println("spared daemon: unknown argument " + arguments[0]);
      return 2;
    }
    ActorSystem<Void> system =
        ActorSystem.create(Behaviors.empty(), "spared", ConfigFactory.load());
    System.out.println("spared ready: 0 devices");
    system.getWhenTerminated().toCompletableFuture().join();
    return 0;
  }
}

package io.spared.app;

import io.spared.host.HostCommand;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;

/** What systemd is told. */
final class ServiceManager {
  private ServiceManager() {}

  static void ready(String status) {}

  static void watch(ActorSystem<?> system, ActorRef<HostCommand> host) {}

  static void reloading() {}

  static void reloaded() {}

  static void stopping() {}
}

package io.spared.ublk;

import io.spared.device.DeviceCommand;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;

/** The actors that a {@link UblkServer} makes, and where they live. */
interface UblkParts {
  Behavior<Object> finder(ActorRef<UblkFinder.Found> replyTo);

  Behavior<FrontendMessage> frontend(
      UblkSettings settings,
      UblkShape shape,
      boolean recover,
      ActorRef<DeviceCommand> device,
      ActorRef<UblkReport> owner);

  DispatcherSelector dispatcher();

  /** It blocks: never on {@link #dispatcher}. */
  Behavior<Object> users(int number, ActorRef<UblkUsers.Seen> replyTo);

  static UblkParts real(UblkHost host) {
    return new UblkParts() {
      @Override
      public Behavior<Object> finder(ActorRef<UblkFinder.Found> replyTo) {
        return UblkFinder.create(host, replyTo);
      }

      @Override
      public Behavior<FrontendMessage> frontend(
          UblkSettings settings,
          UblkShape shape,
          boolean recover,
          ActorRef<DeviceCommand> device,
          ActorRef<UblkReport> owner) {
        return UblkFrontend.create(host, settings, shape, recover, device, owner);
      }

      @Override
      public Behavior<Object> users(int number, ActorRef<UblkUsers.Seen> replyTo) {
        return UblkUsers.create(host, number, replyTo);
      }

      @Override
      public DispatcherSelector dispatcher() {
        return host.control().dispatcher();
      }
    };
  }
}

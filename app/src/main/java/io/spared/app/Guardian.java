package io.spared.app;

import io.spared.host.Host;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The root of all actors: it has one child, the host, and ends with it. */
final class Guardian {
  private Guardian() {}

  sealed interface Command {}

  /** The parts are there: begin. */
  record Begin(HostParts parts, ActorRef<ActorRef<HostCommand>> replyTo) implements Command {}

  static Behavior<Command> create() {
    return Behaviors.setup(context ->
        Behaviors.receive(Command.class)
            .onMessage(
                Begin.class,
                begin -> {
                  ActorRef<HostCommand> host = context.spawn(Host.create(begin.parts()), "spared");
                  context.watch(host);
                  begin.replyTo().tell(host);
                  return Behaviors.same();
                })
            .onSignal(Terminated.class, ended -> Behaviors.stopped())
            .build());
  }
}

package io.spared.format.offence;

import org.apache.pekko.actor.typed.ActorRef;

/** Logic by its package, and speaks to an actor. */
interface LogicWithActors {
  ActorRef<String> owner();
}

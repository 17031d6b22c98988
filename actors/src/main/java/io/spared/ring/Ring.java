package io.spared.ring;

import io.spared.ffi.engine.Engine;
import org.apache.pekko.actor.typed.DispatcherSelector;

/**
 * One ring: a dispatcher with a single thread, and the engine which that thread turns. An actor
 * spawned on {@link #dispatcher()} may use {@link #engine()}, and only such an actor may.
 */
public interface Ring {
  int index();

  /** The ring's engine; but for {@code wake} it is touched on the ring's thread alone. */
  Engine engine();

  DispatcherSelector dispatcher();
}

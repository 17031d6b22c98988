package io.spared.metadata;

import io.spared.ffi.engine.Engine;
import io.spared.ffi.world.World;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor that writes a device's metadata. It lives on the device's home ring, is the only one
 * that writes the copies, and reads the device's image (which the device actor changes on the same
 * thread) when it writes checkpoints.
 */
public final class MetadataWriter {
  private MetadataWriter() {}

  /** To be spawned on the dispatcher of the ring whose engine is given. */
  public static Behavior<MetadataCommand> create(
      MetadataSettings settings, Engine engine, World world, ActorRef<MetadataEvent> owner) {
    return Behaviors.setup(context -> {
      throw new UnsupportedOperationException(
          "no writer yet for " + settings + engine + world + owner);
    });
  }
}

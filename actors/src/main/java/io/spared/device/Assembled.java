package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.format.DeviceImage;
import io.spared.metadata.MetadataCommand;
import io.spared.remap.RemapTable;
import io.spared.spare.SpareReply;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What assembling ends with: everything that serving begins with.
 *
 * @param spares those that are there, by their index in the image
 * @param missing those that the image names as needed and that are not there
 */
record Assembled(
    DeviceImage image,
    RemapTable table,
    ActorRef<MetadataCommand> writer,
    Disk main,
    Map<Integer, SpareReply.Attached> spares,
    Map<Integer, UUID> missing,
    Optional<String> warning) {
  Assembled {
    spares = Map.copyOf(spares);
    missing = Map.copyOf(missing);
  }
}

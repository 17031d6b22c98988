package io.spared.sim;

import io.spared.format.CopyPlace;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.Epoch;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a host that was given up meets when it goes on: copies on which another one has begun a
 * newer epoch. By invariant 9 it stops the device when it looks at them, and by invariant 6 it
 * never writes over them, its own repairs and checkpoints included.
 */
final class TakenOver {
  private record Stands(CopyPlace place, SimDrive drive, ByteBuffer bytes) {}

  private final CoreSetup setup;
  private final List<Stands> newer = new ArrayList<>();

  /** Looks at what stands there while nothing is in flight. */
  TakenOver(CoreSetup setup, Epoch own) {
    this.setup = setup;
    for (CopyPlace place : setup.placement.places()) {
      SimDrive drive = setup.spares.get(place.spare());
      CopyReading there = read(setup.readerOf(place), drive);
      if (there.areas().stream().anyMatch(area -> area.tail().epoch().counter() > own.counter())) {
        newer.add(new Stands(place, drive, bytes(place, drive)));
      }
    }
  }

  static CopyReading read(CopyReader reader, SimDrive drive) {
    read((Reading) reader, drive);
    return reader.result();
  }

  static void read(Reading reader, SimDrive drive) {
    for (Optional<Reading.Step> step = reader.next(); step.isPresent(); step = reader.next()) {
      reader.accept(
          ByteBuffer.wrap(drive.peek(step.get().offsetBytes(), step.get().lengthBytes())));
    }
  }

  private ByteBuffer bytes(CopyPlace place, SimDrive drive) {
    return ByteBuffer.wrap(
        drive.peek(place.offsetBytes(), (int) setup.placement.layout().copyBytes()));
  }

  /** The host has gone on and looked. */
  void check(boolean fenced) {
    if (newer.isEmpty()) {
      return;
    }
    setup.world.coverage().hit("takeOver.meetsNewer");
    for (Stands copy : newer) {
      if (!copy.bytes().equals(bytes(copy.place(), copy.drive()))) {
        setup.truth.violated(
            "a host that was given up wrote to copy "
                + copy.place().copy()
                + ", which holds a newer epoch");
      }
    }
    if (!fenced) {
      setup.truth.violated("a host that was given up looked at a newer epoch and went on");
    }
  }
}

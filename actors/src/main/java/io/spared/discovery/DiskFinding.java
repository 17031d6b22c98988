package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.CopyReading;
import io.spared.format.MainLabel;
import io.spared.format.SpareTable;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * What was found on one disk.
 *
 * @param table its table, if it is a spare
 * @param label the label at its end, if it is the main disk of a labelled set-up
 * @param copies what was read of the metadata of each device that the table lends room to
 * @param tail what was found on its tail, if that is its own spare
 * @param notes what is wrong with it, one sentence each
 */
public record DiskFinding(
    DiskAddress address,
    DiskGeometry geometry,
    DiskIdentity identity,
    Optional<SpareTable> table,
    Optional<MainLabel> label,
    Map<UUID, List<CopyReading>> copies,
    List<String> notes,
    Optional<DiskFinding> tail) {
  public DiskFinding {
    copies = Map.copyOf(copies);
    notes = List.copyOf(notes);
  }

  /** One without a spare of its own. */
  public DiskFinding(
      DiskAddress address,
      DiskGeometry geometry,
      DiskIdentity identity,
      Optional<SpareTable> table,
      Optional<MainLabel> label,
      Map<UUID, List<CopyReading>> copies,
      List<String> notes) {
    this(address, geometry, identity, table, label, copies, notes, Optional.empty());
  }
}

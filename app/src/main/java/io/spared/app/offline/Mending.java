package io.spared.app.offline;

import io.spared.ffi.world.World;
import io.spared.format.CopyFinding;
import io.spared.format.CopyPlace;
import io.spared.format.DeviceImage;
import io.spared.format.FormatException;
import io.spared.format.OfflineDevice;
import io.spared.format.Placement;
import io.spared.format.SpareMember;
import io.spared.format.SpareTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rewrites copies that do not hold the chosen state, and damaged tables of spares. What stood there
 * is kept in a file first, flushed, so that nothing is ever overwritten that exists only once. One
 * copy is rewritten at a time, so a failure in the middle leaves the others as they were.
 */
public final class Mending {
  private Mending() {}

  /** What would be written where. */
  public record Plan(
      List<CopyPlace> copies, List<String> tables, List<String> sentences, long keptBytes) {
    public Plan {
      copies = List.copyOf(copies);
      tables = List.copyOf(tables);
      sentences = List.copyOf(sentences);
    }

    public boolean isEmpty() {
      return copies.isEmpty() && tables.isEmpty();
    }
  }

  /** What one device and the spares of a survey need. */
  public static Plan plan(Survey survey, Optional<Survey.Found> found) {
    List<CopyPlace> copies = new ArrayList<>();
    List<String> sentences = new ArrayList<>();
    long kept = 0;
    DeviceImage image = found.flatMap(Survey.Found::image).orElse(null);
    if (found.isPresent() && image != null) {
      Set<Integer> current =
          found.get().verdict().findings().stream()
              .filter(finding -> finding.standing() == CopyFinding.Standing.CURRENT)
              .map(CopyFinding::copy)
              .collect(Collectors.toSet());
      Optional<Placement> placement = image.placement();
      for (CopyPlace place : placement.map(Placement::places).orElse(List.of())) {
        SpareMember spare = image.spares().get(place.spare());
        if (current.contains(place.copy()) || spare == null) {
          continue;
        }
        if (survey.spare(spare.spareId()).isEmpty()) {
          sentences.add(
              "copy "
                  + place.copy()
                  + ": its spare "
                  + spare.spareId()
                  + " is not among the disks");
          continue;
        }
        copies.add(place);
        kept += placement.map(p -> p.layout().copyBytes()).orElse(0L);
        sentences.add(
            "copy "
                + place.copy()
                + " on spare "
                + place.spare()
                + " at byte "
                + place.offsetBytes()
                + " is written anew");
      }
    }
    List<String> tables = new ArrayList<>();
    survey
        .spares()
        .forEach((text, spare) -> {
          if (spare.choice().table().isPresent() && !spare.choice().stale().isEmpty()) {
            tables.add(text);
            sentences.add(text + ": its tables " + spare.choice().stale() + " are written anew");
          }
        });
    return new Plan(copies, tables, sentences, kept);
  }

  /** Does what was planned. */
  public static void carryOut(
      Survey survey, Optional<Survey.Found> found, Plan plan, Path keep, World world)
      throws OfflineException, IOException {
    DeviceImage image = found.flatMap(Survey.Found::image).orElse(null);
    if (image != null && !plan.copies().isEmpty()) {
      keep(survey, image, plan, keep);
      long buildId = world.random().nextLong();
      long generation = nextGeneration(found.get());
      for (CopyPlace place : plan.copies()) {
        try {
          OfflineDevice.writeCopy(
              image,
              OfflineDevice.superblock(image, place),
              diskOf(survey, image, place),
              generation,
              buildId);
        } catch (FormatException defect) {
          throw new OfflineException("a copy could not be built: " + defect.getMessage());
        }
      }
    }
    for (String text : plan.tables()) {
      Survey.Spare spare = survey.spares().get(text);
      Optional<SpareTable> table = spare == null ? Optional.empty() : spare.choice().table();
      if (spare != null && table.isPresent()) {
        OfflineDevice.writeSpareTable(
            spare.disk(),
            new SpareTable(
                table.get().spareId(),
                table.get().version() + 1,
                table.get().diskBytes(),
                table.get().lent()));
      }
    }
  }

  private static long nextGeneration(Survey.Found found) {
    return found.readings().stream()
            .flatMap(reading -> reading.areas().stream())
            .mapToLong(area -> area.seal().generation())
            .max()
            .orElse(0)
        + 1;
  }

  private static OfflineDisk diskOf(Survey survey, DeviceImage image, CopyPlace place)
      throws OfflineException {
    SpareMember spare = image.spares().get(place.spare());
    Optional<OfflineDisk> disk = spare == null ? Optional.empty() : survey.spare(spare.spareId());
    return disk.orElseThrow(
        () -> new OfflineException("copy " + place.copy() + ": its spare is not among the disks"));
  }

  /** The old bytes, each piece after a line that says what it is. */
  private static void keep(Survey survey, DeviceImage image, Plan plan, Path keep)
      throws OfflineException, IOException {
    try (FileChannel file =
        FileChannel.open(keep, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (CopyPlace place : plan.copies()) {
        OfflineDisk disk = diskOf(survey, image, place);
        int lengthBytes =
            Math.toIntExact(
                Math.min(1 << 30, image.placement().orElseThrow().layout().copyBytes()));
        String head =
            "spared kept copy "
                + place.copy()
                + " of "
                + image.deviceId()
                + " from "
                + disk.disk().address()
                + " at "
                + place.offsetBytes()
                + " "
                + lengthBytes
                + " bytes\n";
        file.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.UTF_8)));
        for (int at = 0; at < lengthBytes; at += 1 << 20) {
          int piece = Math.min(1 << 20, lengthBytes - at);
          ByteBuffer bytes;
          try {
            bytes = disk.read(place.offsetBytes() + at, piece);
          } catch (IOException unreadable) {
            bytes = ByteBuffer.allocate(piece);
          }
          while (bytes.hasRemaining()) {
            file.write(bytes);
          }
        }
      }
      file.force(true);
    }
  }
}

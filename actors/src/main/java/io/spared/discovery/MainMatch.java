package io.spared.discovery;

import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * How one disk compares with the main disk that a device's metadata names.
 *
 * @param named whether something that tells disks apart points at this one: its serial number, WWN,
 *     label, or for a file its path
 * @param labelled whether the label in it is that of this main disk
 * @param samePlace whether it stands where main stood, which says nothing of what it is
 */
public record MainMatch(
    DiskFinding disk,
    boolean named,
    boolean labelled,
    boolean samePlace,
    List<Evidence> evidence,
    List<String> contradictions) {

  /** A serial number or WWN: with all copies, the spares and the size it is enough. */
  private static final int HARDWARE_POINTS = 30;

  /** A file has no serial number; its path is its name. */
  private static final int PATH_POINTS = 30;

  /** A label is copied with the disk (dd), so alone it is not enough. */
  private static final int LABEL_POINTS = 25;

  private static final int LINK_POINTS = 10;
  private static final int CONTENTS_POINTS = 10;
  private static final int KERNEL_NAME_POINTS = 5;

  /** However much points at a disk, it is only one part of the whole. */
  static final int POINTS_MAX = 40;

  public MainMatch {
    evidence = List.copyOf(evidence);
    contradictions = List.copyOf(contradictions);
  }

  public boolean isClear() {
    return named && contradictions.isEmpty();
  }

  int points() {
    return Math.min(POINTS_MAX, evidence.stream().mapToInt(Evidence::points).sum());
  }

  public static MainMatch of(DeviceImage image, DiskFinding disk) {
    return new Comparison(image, disk).compare();
  }

  /** A comparison while it is made. */
  private static final class Comparison {
    private final DeviceImage image;
    private final DiskFinding disk;
    private final DiskEvidence known;
    private final List<Evidence> evidence = new ArrayList<>();
    private final List<String> contradictions = new ArrayList<>();
    private boolean named;
    private boolean labelled;
    private boolean samePlace;

    Comparison(DeviceImage image, DiskFinding disk) {
      this.image = image;
      this.disk = disk;
      this.known = image.main().evidence();
    }

    MainMatch compare() {
      hardware("serial", "serial number", known.identity().serial(), disk.identity().serial());
      hardware("wwn", "WWN", known.identity().wwn(), disk.identity().wwn());
      label();
      place();
      contents();
      sizes();
      return new MainMatch(disk, named, labelled, samePlace, evidence, contradictions);
    }

    private void hardware(
        String name, String words, Optional<String> before, Optional<String> now) {
      if (before.isEmpty() || now.isEmpty()) {
        return;
      }
      if (before.get().equals(now.get())) {
        named = true;
        evidence.add(
            new Evidence(
                name,
                HARDWARE_POINTS,
                HARDWARE_POINTS,
                disk.address() + " has the " + words + " of main, " + now.get()));
      } else {
        contradictions.add(
            disk.address() + " has " + words + " " + now.get() + ", main has " + before.get());
      }
    }

    private void label() {
      if (disk.label().isEmpty()) {
        return;
      }
      var label = disk.label().get();
      if (!label.deviceId().equals(image.deviceId())) {
        contradictions.add(
            disk.address() + " carries the label of another device, " + label.deviceId());
      } else if (label.mainId().equals(image.main().mainId())) {
        named = true;
        labelled = true;
        evidence.add(
            new Evidence(
                "label", LABEL_POINTS, LABEL_POINTS, disk.address() + " carries main's label"));
      } else {
        contradictions.add(
            disk.address() + " carries the label of a main disk that this device had before");
      }
    }

    private void place() {
      DiskIdentity before = known.identity();
      DiskIdentity now = disk.identity();
      samePlace = before.kernelName().equals(now.kernelName());
      boolean isFile = now.kernelName().startsWith("/");
      if (samePlace && isFile) {
        named = true;
        evidence.add(
            new Evidence(
                "path", PATH_POINTS, PATH_POINTS, now.kernelName() + " is the path of main"));
        return;
      }
      if (samePlace) {
        evidence.add(
            new Evidence(
                "name",
                KERNEL_NAME_POINTS,
                KERNEL_NAME_POINTS,
                "main was called " + now.kernelName() + " before"));
      }
      Set<String> common = new TreeSet<>(before.links());
      common.retainAll(new TreeSet<>(now.links()));
      if (!common.isEmpty()) {
        evidence.add(
            new Evidence(
                "link", LINK_POINTS, LINK_POINTS, "it is still " + common.iterator().next()));
      }
    }

    /** May change legitimately, so it adds or does not, and never contradicts. */
    private void contents() {
      Set<String> before = identifiers(known.identity());
      if (before.isEmpty()) {
        return;
      }
      boolean same = before.equals(identifiers(disk.identity()));
      evidence.add(
          new Evidence(
              "contents",
              same ? CONTENTS_POINTS : 0,
              CONTENTS_POINTS,
              same
                  ? "partitions and file systems have the identifiers that were recorded"
                  : "partitions or file systems have other identifiers than were recorded"));
    }

    private static Set<String> identifiers(DiskIdentity identity) {
      return identity.contents().stream()
          .flatMap(content -> content.uuid().stream().map(uuid -> content.kind() + " " + uuid))
          .collect(Collectors.toCollection(TreeSet::new));
    }

    private void sizes() {
      long now = disk.geometry().sizeBytes();
      if (now != known.sizeBytes()) {
        contradictions.add(
            disk.address()
                + " has "
                + now
                + " bytes, main has "
                + known.sizeBytes()
                + (now < known.sizeBytes() ? "; it was truncated or is another" : ""));
      }
      if (disk.geometry().logicalSectorBytes() > image.geometry().sectorBytes()) {
        contradictions.add(
            disk.address()
                + " has sectors of "
                + disk.geometry().logicalSectorBytes()
                + " bytes, the device was made with "
                + image.geometry().sectorBytes());
      }
    }
  }
}

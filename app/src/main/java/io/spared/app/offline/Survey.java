package io.spared.app.offline;

import io.spared.discovery.DiskFinding;
import io.spared.discovery.MainMatch;
import io.spared.ffi.disk.DiskOpener;
import io.spared.format.CopyChoice;
import io.spared.format.CopyConsent;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.format.OfflineDevice;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareTable;
import io.spared.format.Superblock;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What stands on a set of disks: spares with their tables, main disks with labels, devices. */
public final class Survey {
  private final Map<String, Spare> spares = new LinkedHashMap<>();
  private final Map<String, MainLabel> labels = new LinkedHashMap<>();
  private final List<String> others = new ArrayList<>();
  private final Map<UUID, Found> devices = new TreeMap<>();

  /** A spare: its table, or none when all three are damaged and only copies were found. */
  public record Spare(OfflineDisk disk, SpareTable.Choice choice, UUID spareId) {}

  /** A device: its copies and what they say together. */
  public record Found(
      UUID deviceId, List<OfflineDevice.Source> sources, OfflineDevice.Loaded loaded) {
    public Found {
      sources = List.copyOf(sources);
    }

    public CopyVerdict verdict() {
      return loaded.verdict();
    }

    public Optional<DeviceImage> image() {
      return loaded.image();
    }

    public List<CopyReading> readings() {
      return loaded.readings();
    }
  }

  public Map<String, Spare> spares() {
    return spares;
  }

  public Map<String, MainLabel> labels() {
    return labels;
  }

  /** Disks on which nothing of ours stands. */
  public List<String> others() {
    return others;
  }

  public Map<UUID, Found> devices() {
    return devices;
  }

  /** Opens and reads the disks. Nothing is written. */
  public static Survey of(
      OfflineDisks disks,
      List<String> texts,
      DiskOpener.Mode mode,
      Optional<CopyConsent> consent,
      boolean verify)
      throws OfflineException {
    Survey survey = new Survey();
    Map<UUID, Map<String, Set<Long>>> places = new TreeMap<>();
    for (String text : texts) {
      survey.look(disks.open(text, mode), text, places);
    }
    survey.load(places, consent, verify);
    return survey;
  }

  private void look(OfflineDisk disk, String text, Map<UUID, Map<String, Set<Long>>> places) {
    SpareTable.Choice choice = OfflineDevice.readSpareTable(disk);
    if (choice.table().isPresent()) {
      SpareTable table = choice.table().get();
      spares.put(text, new Spare(disk, choice, table.spareId()));
      Set<UUID> owners =
          table.lent().stream().map(SpareTable.Lent::deviceId).collect(Collectors.toSet());
      for (UUID owner : owners) {
        places
            .computeIfAbsent(owner, id -> new TreeMap<>())
            .computeIfAbsent(text, name -> new TreeSet<>())
            .addAll(OfflineDevice.copyOffsets(table, owner));
      }
      return;
    }
    List<Superblock> found = OfflineDevice.findCopies(disk);
    if (!found.isEmpty()) {
      spares.put(text, new Spare(disk, choice, found.get(0).spareId()));
      for (Superblock superblock : found) {
        places
            .computeIfAbsent(superblock.deviceId(), id -> new TreeMap<>())
            .computeIfAbsent(text, name -> new TreeSet<>())
            .add(superblock.offsetBytes());
      }
      return;
    }
    try {
      labels.put(
          text,
          MainLabel.read(
              disk.read(MainLabel.offsetBytes(disk.sizeBytes()), MainLabel.BYTES),
              disk.sizeBytes()));
    } catch (FormatException | IOException noLabel) {
      others.add(text);
    }
  }

  private void load(
      Map<UUID, Map<String, Set<Long>>> places, Optional<CopyConsent> consent, boolean verify) {
    Set<UUID> present = spares.values().stream().map(Spare::spareId).collect(Collectors.toSet());
    for (Map.Entry<UUID, Map<String, Set<Long>>> device : places.entrySet()) {
      List<OfflineDevice.Source> sources = new ArrayList<>();
      for (Map.Entry<String, Set<Long>> place : device.getValue().entrySet()) {
        Spare spare = spares.get(place.getKey());
        if (spare != null) {
          sources.add(
              new OfflineDevice.Source(
                  spare.spareId(), spare.disk(), List.copyOf(place.getValue())));
        }
      }
      CopyChoice.Circumstances circumstances =
          new CopyChoice.Circumstances(device.getKey(), present, Optional.empty(), consent);
      OfflineDevice.Loaded loaded =
          OfflineDevice.load(sources, circumstances, SortedRemapEntries::new);
      if (verify) {
        List<CopyReading> verified = OfflineDevice.verify(loaded.readings(), sources);
        loaded =
            new OfflineDevice.Loaded(
                verified, CopyChoice.choose(verified, circumstances), loaded.image());
      }
      devices.put(device.getKey(), new Found(device.getKey(), sources, loaded));
    }
  }

  /** The same device, with what a person allows. */
  public Found again(Found found, CopyConsent consent) {
    Set<UUID> present = spares.values().stream().map(Spare::spareId).collect(Collectors.toSet());
    return new Found(
        found.deviceId(),
        found.sources(),
        OfflineDevice.load(
            found.sources(),
            new CopyChoice.Circumstances(
                found.deviceId(), present, Optional.empty(), Optional.of(consent)),
            SortedRemapEntries::new));
  }

  /**
   * All devices; refused where one cannot be loaded, which is not the same as one without remaps.
   */
  public List<DeviceImage> all() throws OfflineException {
    if (devices.isEmpty()) {
      throw new OfflineException("no device is found on these disks; name the spare");
    }
    List<DeviceImage> images = new ArrayList<>();
    for (Found found : devices.values()) {
      images.add(
          found
              .image()
              .orElseThrow(() ->
                  new OfflineException(
                      "device "
                          + found.deviceId()
                          + " cannot be loaded: "
                          + String.join("; ", found.verdict().reasons()))));
    }
    return images;
  }

  /** The one device that can be loaded, or the one of this name. */
  public DeviceImage one(@Nullable String name) throws OfflineException {
    List<DeviceImage> images =
        devices.values().stream()
            .flatMap(found -> found.image().stream())
            .filter(image -> name == null || image.name().equals(name))
            .toList();
    if (images.size() != 1) {
      throw new OfflineException(
          images.isEmpty()
              ? "no device"
                  + (name == null ? "" : " " + name)
                  + " can be loaded from these disks; see spared ctl check"
              : "these disks serve "
                  + String.join(", ", images.stream().map(DeviceImage::name).toList())
                  + "; name one with --device");
    }
    return images.get(0);
  }

  /**
   * The device whose main disk this is. A disk that something contradicts is never taken; one that
   * nothing but its size speaks for, only with a person's word.
   */
  public DeviceImage deviceOf(OfflineDisk main, boolean force) throws OfflineException {
    if (devices.values().stream().allMatch(found -> found.image().isEmpty())) {
      refuseSpare(main);
      throw new OfflineException(
          "no device can be loaded from the spares named; see spared ctl check");
    }
    List<DeviceImage> possible = new ArrayList<>();
    List<DeviceImage> clear = new ArrayList<>();
    List<String> reasons = new ArrayList<>();
    for (Found found : devices.values()) {
      if (found.image().isPresent()) {
        DeviceImage image = found.image().get();
        MainMatch match = MainMatch.of(image, finding(main));
        reasons.addAll(match.contradictions());
        if (match.isClear()) {
          clear.add(image);
        } else if (match.contradictions().isEmpty()) {
          possible.add(image);
        }
      }
    }
    List<DeviceImage> images = clear.isEmpty() && force ? possible : clear;
    if (images.size() == 1) {
      return images.get(0);
    }
    refuseSpare(main);
    String names =
        String.join(
            " or of ",
            (images.isEmpty() ? possible : images).stream().map(DeviceImage::name).toList());
    throw new OfflineException(
        main.disk().address()
            + (names.isEmpty()
                ? ": is not the main disk of any device on these spares"
                    + (reasons.isEmpty() ? "" : ": " + String.join("; ", reasons))
                : ": may be the main disk of "
                    + names
                    + ", but only its size speaks for it; if you know that it is, use --force"));
  }

  private static void refuseSpare(OfflineDisk main) throws OfflineException {
    if (OfflineDevice.readSpareTable(main).table().isPresent()) {
      throw new OfflineException(
          main.disk().address() + ": is a spare; name the main disk with --main");
    }
  }

  private static DiskFinding finding(OfflineDisk disk) {
    Optional<MainLabel> label;
    try {
      label =
          Optional.of(
              MainLabel.read(
                  disk.read(MainLabel.offsetBytes(disk.sizeBytes()), MainLabel.BYTES),
                  disk.sizeBytes()));
    } catch (FormatException | IOException noLabel) {
      label = Optional.empty();
    }
    return new DiskFinding(
        disk.disk().address(),
        disk.disk().geometry(),
        disk.disk().identity(),
        Optional.empty(),
        label,
        Map.of(),
        List.of());
  }

  /** The disk that is this spare. */
  public Optional<OfflineDisk> spare(UUID spareId) {
    return spares.values().stream()
        .filter(spare -> spare.spareId().equals(spareId))
        .map(Spare::disk)
        .findFirst();
  }

  /** Bytes lent to a device, for people. */
  static long lentBytes(DeviceImage image) {
    return image.extents().stream().mapToLong(Extent::lengthBytes).sum();
  }
}

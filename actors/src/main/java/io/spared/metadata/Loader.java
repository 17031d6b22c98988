package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.AreaReading;
import io.spared.format.CleanStop;
import io.spared.format.CopyChoice;
import io.spared.format.CopyConsent;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Geometry;
import io.spared.format.RemapEntries;
import io.spared.format.TableLoader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads all copies at once, one request each, chooses, and loads the winner's table. A winner whose
 * table turns out damaged is taken out and the choice is made again.
 */
final class Loader {
  /** At most so many places are read at a time: nine copies, and some that were given up. */
  private static final int AT_ONCE_MAX = 16;

  /** What was read, and the image where the verdict allows one. */
  interface Loaded {
    void loaded(List<CopyReading> readings, CopyVerdict verdict, Optional<DeviceImage> image);
  }

  private record Place(MetadataCommand.CopySource source, long offsetBytes) {}

  private final Lanes lanes;
  private final UUID deviceId;
  private final Function<Geometry, RemapEntries> entries;
  private final Optional<CleanStop> cleanStop;
  private final Optional<CopyConsent> consent;
  private final Loaded done;
  private final Map<UUID, DiskPort> ports = new HashMap<>();
  private final List<Place> places = new ArrayList<>();
  private final List<@Nullable CopyReading> readings = new ArrayList<>();
  private final List<ReadTask> tasks = new ArrayList<>();
  private int begun;
  private int left;
  private boolean over;

  Loader(
      Lanes lanes,
      UUID deviceId,
      List<MetadataCommand.CopySource> sources,
      Function<Geometry, RemapEntries> entries,
      Optional<CleanStop> cleanStop,
      Optional<CopyConsent> consent,
      Loaded done) {
    this.lanes = lanes;
    this.deviceId = deviceId;
    this.entries = entries;
    this.cleanStop = cleanStop;
    this.consent = consent;
    this.done = done;
    for (MetadataCommand.CopySource source : sources) {
      ports.put(source.spareId(), source.port());
      for (long offsetBytes : source.offsetsBytes()) {
        places.add(new Place(source, offsetBytes));
        readings.add(null);
      }
    }
    left = places.size();
  }

  void begin() {
    if (places.isEmpty()) {
      choose(List.of());
    }
    for (int i = 0; i < AT_ONCE_MAX; i++) {
      readNext();
    }
  }

  void cancel() {
    over = true;
    tasks.forEach(ReadTask::cancel);
  }

  private void readNext() {
    if (begun == places.size() || over) {
      return;
    }
    int number = begun++;
    Place place = places.get(number);
    CopyReader reader =
        new CopyReader(deviceId, place.source().spareId(), place.offsetBytes(), Build.BUFFER_BYTES);
    begin(
        new ReadTask(
            reader,
            place.source().port(),
            lanes.newLane(Build.BUFFER_BYTES),
            lanes,
            () -> {
              readings.set(number, reader.result());
              readNext();
              if (--left == 0) {
                choose(whole());
              }
            }));
  }

  private List<CopyReading> whole() {
    List<CopyReading> all = new ArrayList<>();
    for (CopyReading reading : readings) {
      if (reading != null) {
        all.add(reading);
      }
    }
    return all;
  }

  private void begin(ReadTask task) {
    tasks.add(task);
    task.begin();
  }

  private void choose(List<CopyReading> all) {
    if (over) {
      return;
    }
    CopyVerdict verdict =
        CopyChoice.choose(
            all, new CopyChoice.Circumstances(deviceId, ports.keySet(), cleanStop, consent));
    if (verdict.decision() != CopyVerdict.Decision.USABLE) {
      over = true;
      done.loaded(all, verdict, Optional.empty());
      return;
    }
    int winner = verdict.winners().get(0);
    CopyReading reading = all.get(winner);
    DiskPort port = ports.get(reading.spareId());
    if (port == null) {
      throw new IllegalStateException("a copy was read on a disk that is not there");
    }
    AreaReading area = CopyChoice.holding(reading, verdict.position().orElseThrow());
    int window = lanes.largestWindowBytes();
    TableLoader loader =
        new TableLoader(
            reading.superblock().orElseThrow(),
            area,
            entries.apply(area.header().geometry()),
            window);
    begin(
        new ReadTask(
            loader,
            port,
            lanes.newLane(window),
            lanes,
            () -> {
              Optional<String> failure = loader.failure();
              if (over) {
                return;
              }
              if (failure.isEmpty()) {
                over = true;
                done.loaded(all, verdict, Optional.of(loader.result()));
                return;
              }
              List<CopyReading> others = new ArrayList<>(all);
              others.set(winner, reading.damaged(area.seal().area(), failure.get()));
              choose(others);
            }));
  }
}

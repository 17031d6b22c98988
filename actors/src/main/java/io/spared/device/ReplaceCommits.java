package io.spared.device;

import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.MainMember;
import io.spared.format.RemapEntries;
import io.spared.format.ReplaceState;
import io.spared.queue.WriteIntents;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The commits of replacing main: what each of them records, and where the metadata keep it. */
final class ReplaceCommits {
  /** Where the disk is that is being copied to; in the metadata beside its identity. */
  private static final String DISK = "replace.disk";

  /** Where main is since it was replaced, and where it was: the configuration may be older. */
  static final String MAIN = "main.disk";

  static final String MAIN_BEFORE = "main.before";

  /** The regions of {@link WriteIntents}, 64 in each of these. */
  private static final String WRITTEN = "replace.written-";

  private static final int CLEARED_AT_ONCE = 128;

  /** What a commit of it is for. */
  sealed interface Step {
    record Started() implements Step {}

    record Kept() implements Step {}

    record Recorded(int word, long regions) implements Step {}

    record PendingCleared() implements Step {}

    record Switched() implements Step {}

    record Ended() implements Step {}
  }

  private final Run run;
  private final Serving serving;

  ReplaceCommits(Run run, Serving serving) {
    this.run = run;
    this.serving = serving;
  }

  private DeviceImage image() {
    return serving.image();
  }

  private void ask(List<Change> changes, Step step) {
    serving.commits().ask(changes, new Commits.Purpose.Replacing(step), run.nowNanos());
  }

  /** Where the metadata say that the new disk is. */
  String address() {
    return image().policy().getOrDefault(DISK, "");
  }

  /** The regions that are recorded. */
  WriteIntents recorded() {
    WriteIntents known = new WriteIntents(image().geometry().deviceBytes());
    for (int word = 0; word < WriteIntents.REGIONS_MAX / 64; word++) {
      known.becameDurable(word, image().cursors().getOrDefault(WRITTEN + word, 0L));
    }
    return known;
  }

  void start(NewDisk disk) {
    List<Change> changes = forgetWritten();
    changes.add(
        new Change.ReplaceStarted(
            new ReplaceState(ReplaceState.MAIN, disk.id(), disk.evidence(Optional.empty()), 0)));
    changes.add(new Change.PolicySet(DISK, disk.address().toString()));
    ask(changes, new Step.Started());
  }

  void record(int word, long regions) {
    ask(List.of(new Change.CursorMoved(WRITTEN + word, regions)), new Step.Recorded(word, regions));
  }

  void keepCursor(long cursorBytes) {
    ask(List.of(new Change.ReplaceMoved(cursorBytes)), new Step.Kept());
  }

  /** Hints about the old disk go first; the last commit is the switch. */
  void switchTo(NewDisk disk, Optional<DiskIdentity> seen) {
    List<Change> cleared = new ArrayList<>();
    RemapEntries.Walk walk = serving.table().walk();
    while (cleared.size() < CLEARED_AT_ONCE && walk.next()) {
      if (walk.isPending()) {
        cleared.add(new Change.PendingCleared(walk.block()));
      }
    }
    if (!cleared.isEmpty()) {
      ask(cleared, new Step.PendingCleared());
      return;
    }
    List<Change> changes = ended();
    changes.add(
        new Change.MainRecorded(
            new MainMember(disk.id(), disk.evidence(seen), image().main().dataOffsetBytes())));
    changes.add(new Change.PolicySet(MAIN, disk.address().toString()));
    changes.add(new Change.PolicySet(MAIN_BEFORE, serving.main().address().toString()));
    ask(changes, new Step.Switched());
  }

  void end() {
    ask(ended(), new Step.Ended());
  }

  private List<Change> ended() {
    List<Change> changes = forgetWritten();
    changes.add(new Change.ReplaceEnded());
    changes.add(new Change.PolicyCleared(DISK));
    return changes;
  }

  /** For the commit of a clean stop: both disks hold the same below the cursor. */
  List<Change> cleanChanges(long cursorBytes) {
    List<Change> changes = forgetWritten();
    changes.add(new Change.ReplaceMoved(cursorBytes));
    return changes;
  }

  private List<Change> forgetWritten() {
    List<Change> changes = new ArrayList<>();
    image()
        .cursors()
        .forEach((name, value) -> {
          if (name.startsWith(WRITTEN) && value != 0) {
            changes.add(new Change.CursorMoved(name, 0));
          }
        });
    return changes;
  }
}

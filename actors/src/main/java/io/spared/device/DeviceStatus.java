package io.spared.device;

import io.spared.queue.Latencies;
import io.spared.queue.QueueCounts;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A device as it is now, for people and programs. Counts are exact at the moment of asking; what is
 * not known yet (before assembling has ended) is 0 or empty.
 */
public record DeviceStatus(
    String name,
    String description,
    String uuid,
    Phase phase,
    String sentence,
    boolean frozen,
    List<String> troubles,
    long sizeBytes,
    int blockBytes,
    int sectorBytes,
    String form,
    String epoch,
    long sequence,
    List<DiskStatus> disks,
    Copies copies,
    Remaps remaps,
    Traffic traffic,
    Commits commits,
    Repairs repairs,
    Scrubs scrubs,
    List<Job> jobs,
    int restarts,
    Optional<Instant> servingSince,
    Map<String, PolicyValue> policy,
    Optional<Replacing> replacing) {

  public DeviceStatus {
    troubles = List.copyOf(troubles);
    disks = List.copyOf(disks);
    jobs = List.copyOf(jobs);
    policy = Map.copyOf(policy);
  }

  /** A disk of the device. */
  public record DiskStatus(
      String role,
      String address,
      long sizeBytes,
      String health,
      long mediaErrors,
      long transportErrors,
      long timeouts,
      int held) {}

  /**
   * The copies of the metadata.
   *
   * @param each a few words for each copy
   */
  public record Copies(int good, int total, boolean quorum, List<String> each) {
    public Copies {
      each = List.copyOf(each);
    }
  }

  /** Blocks that moved or will. */
  public record Remaps(
      long remapped,
      long lostSectors,
      long pending,
      long retiredSlots,
      long freeSlots,
      long slots,
      long relocations) {}

  /**
   * Who uses it now, and what was asked of it since it was assembled.
   *
   * @param operations by the operation's name; of open queues and of those that have closed
   */
  public record Traffic(
      int queues,
      List<String> users,
      int held,
      int heldRequests,
      int inDoubt,
      Map<String, QueueCounts.OperationCount> operations,
      List<QueueUse> uses) {
    public static final Traffic NONE = new Traffic(0, List.of(), 0, 0, 0, Map.of(), List.of());

    public Traffic {
      users = List.copyOf(users);
      operations = Map.copyOf(operations);
      uses = List.copyOf(uses);
    }
  }

  /** What one open queue has done. */
  public record QueueUse(int queue, String user, long requests, long errors) {}

  /** Commits of metadata; those that are durable have a latency. */
  public record Commits(
      long committed, long indeterminate, long refused, double lastMillis, Latencies latencies) {
    public static final Commits NONE = new Commits(0, 0, 0, 0, Latencies.NONE);
  }

  /** Mending copies. */
  public record Repairs(
      boolean automatic, int pending, long done, long failed, Optional<Instant> last) {}

  /** Looking for damage. */
  public record Scrubs(
      long completed,
      Optional<Instant> last,
      Optional<Instant> next,
      double surfacePercent,
      Optional<Instant> surfaceEstimate,
      long surfaceUnreadable,
      boolean running) {}

  /**
   * Something long that goes on beside serving, and goes on after a restart.
   *
   * @param done blocks, of all of them
   * @param failed blocks that could not be done the last time and are tried again
   * @param lostSectors what could not be saved
   */
  public record Job(
      String what, long done, long total, long failed, long lostSectors, String sentence) {}

  /**
   * Main being replaced.
   *
   * @param phase looking, joining, copying, ...
   * @param waits why it does not go on now; empty when it does
   * @param againBytes below the cursor, to be copied once more after a crash
   * @param movedBlocks could not be read from main and are on a spare now
   */
  public record Replacing(
      String disk,
      String phase,
      String waits,
      long copiedBytes,
      long totalBytes,
      long againBytes,
      long movedBlocks,
      long bytesPerSecond,
      Optional<Instant> estimate) {}

  /** A policy setting and where it comes from: "default", "metadata", or file and line. */
  public record PolicyValue(String value, String source) {}

  /** For ordering, worst first. */
  public int badness() {
    return switch (phase) {
      case FAILED -> 0;
      case DEGRADED -> 1;
      case DRAINING -> 2;
      case ASSEMBLING -> 3;
      case STOPPED -> 4;
      case ACTIVE -> 5;
    };
  }
}

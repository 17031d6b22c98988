package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.queue.Mirror;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueReport;
import io.spared.queue.WriteIntents;
import java.util.HashSet;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * What the queues do with writes while main is being replaced, as {@link Mirror} says, and which
 * regions are recorded for it. A change counts as made once every queue that had begun said so, or
 * ended; a queue that begins later is told first.
 */
final class MirroredWrites {
  private final Serving serving;
  private final ReplaceCommits commits;
  private final Runnable reachedByAll;
  private final Set<Integer> awaited = new HashSet<>();
  private final Set<Integer> beingRecorded = new HashSet<>();
  private @Nullable Mirror mirror;
  private @Nullable WriteIntents intents;
  private long mirrors;

  /**
   * @param reachedByAll called when no queue is awaited any more
   */
  MirroredWrites(Serving serving, ReplaceCommits commits, Runnable reachedByAll) {
    this.serving = serving;
    this.commits = commits;
    this.reachedByAll = reachedByAll;
  }

  /** From now on these are the regions that are recorded. */
  void recorded(WriteIntents known) {
    intents = known;
  }

  @Nullable WriteIntents intents() {
    return intents;
  }

  /** What the queues were told last, or null. */
  @Nullable Mirror now() {
    return mirror;
  }

  void set(@Nullable Disk disk, long belowBytes, long fromBytes, long toBytes) {
    WriteIntents known = intents;
    if (known == null) {
      return;
    }
    Mirror next = new Mirror(++mirrors, disk, belowBytes, fromBytes, toBytes, known);
    mirror = next;
    awaited.clear();
    awaited.addAll(serving.queues().begun());
    serving.queues().tellAll(new QueueCommand.SetMirror(next));
    lookWhetherReached();
  }

  private void lookWhetherReached() {
    if (awaited.isEmpty()) {
      reachedByAll.run();
    }
  }

  /** A queue that begins learns of the mirror before it submits anything. */
  void queueOpened(ActorRef<QueueCommand> frontend) {
    Mirror now = mirror;
    if (now != null) {
      frontend.tell(new QueueCommand.SetMirror(now));
    }
  }

  void queueGone(int queueId) {
    if (awaited.remove(queueId)) {
      lookWhetherReached();
    }
  }

  void on(QueueReport.MirrorReached reached) {
    Mirror now = mirror;
    if (now != null && now.id() == reached.mirrorId() && awaited.remove(reached.queueId())) {
      lookWhetherReached();
    }
  }

  void on(QueueReport.RecordWanted wanted) {
    WriteIntents known = intents;
    if (known == null || known.isDurable(wanted.region())) {
      serving.queues().tellAll(new QueueCommand.Recorded(true));
      return;
    }
    if (beingRecorded.add(wanted.region())) {
      int word = wanted.region() / 64;
      long regions = known.word(word);
      for (int region : beingRecorded) {
        regions |= region / 64 == word ? 1L << region % 64 : 0;
      }
      commits.record(word, regions);
    }
  }

  /** What the commit of these regions came to. */
  void ended(ReplaceCommits.Step.Recorded recorded, boolean durable) {
    for (int region = 0; region < 64; region++) {
      if ((recorded.regions() & 1L << region) != 0) {
        beingRecorded.remove(recorded.word() * 64 + region);
      }
    }
    WriteIntents known = intents;
    if (durable && known != null) {
      known.becameDurable(recorded.word(), recorded.regions());
    }
    serving.queues().tellAll(new QueueCommand.Recorded(durable));
  }

  /** The queues write to main alone, and nothing of it is kept. */
  void off() {
    serving.queues().tellAll(new QueueCommand.MirrorOff());
    mirror = null;
    intents = null;
    awaited.clear();
  }
}

package io.spared.device;

import io.spared.queue.QueueCommand;
import io.spared.queue.QueueCounts;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** The queues of a device: who uses them, and which have answered what they were told last. */
final class OpenQueues {
  /** One queue. */
  static final class Open {
    final int id;
    final String user;
    final ActorRef<QueueCommand> frontend;
    boolean begun;
    boolean drained;
    QueueCounts counts = QueueCounts.NONE;

    Open(int id, String user, ActorRef<QueueCommand> frontend) {
      this.id = id;
      this.user = user;
      this.frontend = frontend;
    }
  }

  /** More would be a defect of a frontend, or an attack on it. */
  static final int MOST = 1024;

  private final TreeMap<Integer, Open> queues = new TreeMap<>();
  private final Set<Integer> awaitedByFreeze = new HashSet<>();
  private final Set<Integer> awaitedByCount = new HashSet<>();
  private QueueCounts ofClosed = QueueCounts.NONE;
  private int lastId;

  Open add(String user, ActorRef<QueueCommand> frontend) {
    Open open = new Open(++lastId, user, frontend);
    queues.put(open.id, open);
    return open;
  }

  @Nullable Open get(int id) {
    return queues.get(id);
  }

  /** Forgets a queue; whoever waits for it waits no more. */
  @Nullable Open remove(int id) {
    awaitedByFreeze.remove(id);
    awaitedByCount.remove(id);
    Open removed = queues.remove(id);
    if (removed != null) {
      ofClosed = ofClosed.plus(removed.counts);
    }
    return removed;
  }

  int count() {
    return queues.size();
  }

  List<String> users() {
    List<String> users = new ArrayList<>();
    for (Open open : queues.values()) {
      if (!open.drained && !users.contains(open.user)) {
        users.add(open.user);
      }
    }
    return users;
  }

  void tellAll(QueueCommand command) {
    queues.values().forEach(open -> open.frontend.tell(command));
  }

  /** Those that may have something in flight. */
  List<Integer> begun() {
    return queues.values().stream().filter(open -> open.begun).map(open -> open.id).toList();
  }

  boolean allDrained() {
    return queues.values().stream().allMatch(open -> open.drained);
  }

  void freeze(long freezeId) {
    awaitedByFreeze.clear();
    awaitedByFreeze.addAll(queues.keySet());
    tellAll(new QueueCommand.Freeze(freezeId));
  }

  void frozen(int id) {
    awaitedByFreeze.remove(id);
  }

  boolean allFrozen() {
    return awaitedByFreeze.isEmpty();
  }

  /** Asks every queue what it has done. */
  void askCounts() {
    awaitedByCount.clear();
    awaitedByCount.addAll(queues.keySet());
    tellAll(new QueueCommand.Count());
  }

  void counted(Open open, QueueCounts counts) {
    open.counts = counts;
    awaitedByCount.remove(open.id);
  }

  boolean allCounted() {
    return awaitedByCount.isEmpty();
  }

  /** What all of them have done since the device was assembled, as far as they told. */
  QueueCounts counts() {
    QueueCounts sum = ofClosed;
    for (Open open : queues.values()) {
      sum = sum.plus(open.counts);
    }
    return sum;
  }

  List<DeviceStatus.QueueUse> uses() {
    return queues.values().stream()
        .map(open ->
            new DeviceStatus.QueueUse(
                open.id, open.user, open.counts.requests(), open.counts.errors()))
        .toList();
  }
}

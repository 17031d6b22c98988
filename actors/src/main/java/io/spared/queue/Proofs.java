package io.spared.queue;

import io.spared.ffi.Errno;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The questions of one queue, or of the relocator, whether a disk still proves itself, at most one
 * open per disk. Who comes while a question is open waits for the next one: a proof only counts for
 * errors seen before it was asked for, since the disk may have gone between the proof and a later
 * error.
 */
public final class Proofs {
  /** Told whether the disk proved itself. */
  public interface Waiter {
    void proved(boolean proved);
  }

  /** How the question is asked. */
  public interface Question {
    void ask(int disk, Errno errno, long offsetBytes);
  }

  private record Waiting(Errno errno, long offsetBytes, Waiter waiter) {}

  private final Question question;

  /** Of the open questions. */
  private final Map<Integer, List<Waiting>> asked = new HashMap<>();

  /** Of the questions after them. */
  private final Map<Integer, List<Waiting>> later = new HashMap<>();

  public Proofs(Question question) {
    this.question = question;
  }

  public void ask(int disk, Errno errno, long offsetBytes, Waiter waiter) {
    Waiting waiting = new Waiting(errno, offsetBytes, waiter);
    if (asked.containsKey(disk)) {
      later.computeIfAbsent(disk, d -> new ArrayList<>()).add(waiting);
      return;
    }
    List<Waiting> waiters = new ArrayList<>();
    waiters.add(waiting);
    asked.put(disk, waiters);
    question.ask(disk, errno, offsetBytes);
  }

  public void answered(int disk, boolean proved) {
    List<Waiting> waiters = asked.remove(disk);
    if (waiters == null) {
      return;
    }
    List<Waiting> next = later.remove(disk);
    if (next != null) {
      asked.put(disk, next);
      Waiting first = next.getFirst();
      question.ask(disk, first.errno(), first.offsetBytes());
    }
    waiters.forEach(waiting -> waiting.waiter().proved(proved));
  }

  /** The disk is gone: nobody waits for it any more. A late answer finds nobody. */
  public void gone(int disk) {
    List<Waiting> waiters = new ArrayList<>();
    List<Waiting> first = asked.remove(disk);
    List<Waiting> second = later.remove(disk);
    if (first != null) {
      waiters.addAll(first);
    }
    if (second != null) {
      waiters.addAll(second);
    }
    waiters.forEach(waiting -> waiting.waiter().proved(false));
  }

  public void forgetAll() {
    asked.clear();
    later.clear();
  }
}

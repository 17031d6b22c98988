package io.spared.ffi.disk;

import io.spared.ffi.disk.FaultRule.Effect;
import io.spared.ffi.engine.IoRequest.Operation;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.jspecify.annotations.Nullable;

/**
 * What goes wrong with a {@code fault:} disk. Changed from any thread while the disk is in use. All
 * chance comes from the seed.
 *
 * <p>With {@link #keepUnflushed} the disk has a volatile cache as drives have: {@link #cutPower}
 * then takes back a random part of the sectors written since the last flush, each by itself, as a
 * power cut does, and every request fails until {@link #restorePower}.
 */
public final class FaultPlan {
  /** A rule in force and how often it has struck. */
  public record Active(long id, FaultRule rule, long struck) {}

  /** Power, as the ports see it. */
  enum Power {
    ON,
    /** Cut: everything fails, and the ports let what is in flight end. */
    CUT,
    /** To be restored when the unflushed sectors were taken back. */
    RESTORING
  }

  private static final class Entry {
    final FaultRule rule;
    long hit;
    long struck;

    /** For FailUntilWritten: what was written meanwhile, from and until. */
    final NavigableMap<Long, Long> healed = new TreeMap<>();

    Entry(FaultRule rule) {
      this.rule = rule;
    }
  }

  private final RandomGenerator random;
  private final Map<Long, Entry> entries = new LinkedHashMap<>();
  private long nextId = 1;
  private long struck;
  private long hangReleases;
  private boolean keepUnflushed;
  private Power power = Power.ON;
  private long powerCuts;
  private @Nullable UnflushedSectors unflushed;

  public FaultPlan(long seed) {
    this.random = RandomGeneratorFactory.of("Random").create(seed);
  }

  /** Puts a rule in force; gives its id. Older rules strike first. */
  public synchronized long add(FaultRule rule) {
    long id = nextId++;
    entries.put(id, new Entry(rule));
    return id;
  }

  public synchronized boolean remove(long id) {
    return entries.remove(id) != null;
  }

  /** Removes all rules and lets requests that hang go on. */
  public synchronized void clear() {
    entries.clear();
    hangReleases++;
  }

  /** Lets requests that hang go on: they are carried out now. */
  public synchronized void releaseHanging() {
    hangReleases++;
  }

  public synchronized List<Active> rules() {
    List<Active> rules = new ArrayList<>();
    entries.forEach((id, entry) -> rules.add(new Active(id, entry.rule, entry.struck)));
    return rules;
  }

  /** How many faults were injected so far. */
  public synchronized long struck() {
    return struck;
  }

  /** Whether writes are volatile until they are flushed. To be set before the disk is attached. */
  public synchronized void keepUnflushed(boolean keep) {
    keepUnflushed = keep;
  }

  /** What the disk would lose with its power; it outlives closing and opening the disk. */
  synchronized UnflushedSectors unflushed(int sectorBytes) {
    UnflushedSectors sectors = unflushed;
    if (sectors == null) {
      sectors = new UnflushedSectors(sectorBytes);
      unflushed = sectors;
    }
    return sectors;
  }

  synchronized boolean keepsUnflushed() {
    return keepUnflushed;
  }

  /** From now on everything fails, and unflushed sectors are lost by chance. */
  public synchronized void cutPower() {
    if (power == Power.ON) {
      power = Power.CUT;
      powerCuts++;
    }
  }

  /** The disk comes back, once what was lost has been taken back; requests wait until then. */
  public synchronized void restorePower() {
    if (power == Power.CUT) {
      power = keepUnflushed ? Power.RESTORING : Power.ON;
    }
  }

  /** Whether the disk serves requests. */
  public synchronized boolean isPowered() {
    return power == Power.ON;
  }

  synchronized Power power() {
    return power;
  }

  synchronized long powerCuts() {
    return powerCuts;
  }

  synchronized void restored() {
    if (power == Power.RESTORING) {
      power = Power.ON;
    }
  }

  synchronized long hangReleases() {
    return hangReleases;
  }

  /** Which of the states a sector was in since the last flush survives: 0 for the oldest. */
  synchronized int chooseSurvivor(int states) {
    return random.nextInt(states);
  }

  /** What happens to this request; null for nothing. */
  synchronized @Nullable Effect strike(Operation operation, long offsetBytes, long lengthBytes) {
    long from = offsetBytes;
    long until = offsetBytes + Math.max(1, lengthBytes);
    boolean everywhere = operation == Operation.FLUSH;
    for (Entry entry : entries.values()) {
      FaultRule rule = entry.rule;
      if (!rule.operations().contains(operation)) {
        continue;
      }
      if (!everywhere && (until <= rule.fromBytes() || from >= rule.untilBytes())) {
        continue;
      }
      if (rule.effect() instanceof Effect.FailUntilWritten
          && isHealed(
              entry, Math.max(from, rule.fromBytes()), Math.min(until, rule.untilBytes()))) {
        continue;
      }
      if (rule.rate() < 1 && random.nextDouble() >= rule.rate()) {
        continue;
      }
      entry.hit++;
      if (entry.hit <= rule.skip() || entry.struck >= rule.times()) {
        continue;
      }
      entry.struck++;
      struck++;
      return rule.effect();
    }
    return null;
  }

  /** A write reached the disk: latent faults under it are gone. */
  synchronized void written(long offsetBytes, long lengthBytes) {
    for (Entry entry : entries.values()) {
      if (entry.rule.effect() instanceof Effect.FailUntilWritten) {
        heal(entry.healed, offsetBytes, offsetBytes + lengthBytes);
      }
    }
  }

  private static boolean isHealed(Entry entry, long from, long until) {
    Map.Entry<Long, Long> piece = entry.healed.floorEntry(from);
    return piece != null && piece.getValue() >= until;
  }

  private static void heal(NavigableMap<Long, Long> healed, long from, long until) {
    long start = from;
    long end = until;
    Map.Entry<Long, Long> before = healed.floorEntry(start);
    if (before != null && before.getValue() >= start) {
      start = before.getKey();
      end = Math.max(end, before.getValue());
    }
    Map.Entry<Long, Long> next = healed.ceilingEntry(start);
    while (next != null && next.getKey() <= end) {
      end = Math.max(end, next.getValue());
      healed.remove(next.getKey());
      next = healed.ceilingEntry(start);
    }
    healed.put(start, end);
  }
}

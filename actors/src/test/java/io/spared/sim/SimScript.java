package io.spared.sim;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What happens to a set-up in one run: its shape, its clients, and a list of actions, all drawn
 * from the seed. A run may be given a part of the actions only, which is how a failing seed is
 * shrunk: so an action keeps its number in the list. What was thought of later is drawn from a
 * stream of its own and stands at the end, where it shifts neither the numbers nor the draws of
 * what is before it ({@link LaterActions}).
 */
record SimScript(
    int blockBytes,
    int sectorBytes,
    long deviceBytes,
    int spares,
    int rings,
    List<Workload> clients,
    List<SimAction> actions) {

  /** What kinds of faults a campaign may use. */
  record Menu(
      boolean crashes,
      boolean silent,
      boolean memoryMetadata,
      boolean commands,
      boolean replaces,
      boolean copies,
      boolean hosted) {
    Menu(boolean crashes, boolean silent, boolean memoryMetadata, boolean commands) {
      this(crashes, silent, memoryMetadata, commands, false, false, false);
    }
  }

  private static final long MILLI = 1_000_000L;

  static SimScript random(SimRandom random, Menu menu, long requests, SimRandom later) {
    int sectorBytes = random.chance(0.8) ? 512 : 4096;
    int blockBytes = random.chance(0.6) ? 4096 : random.nextBoolean() ? 8192 : 16384;
    // Sometimes everything happens on a few blocks, so that relocations meet.
    boolean crowded = random.chance(0.3);
    long blocks = crowded ? 1 + random.below(4) : random.logUniform(4, 96);
    // Sometimes the last block is not whole.
    long deviceBytes = blocks * blockBytes - (random.chance(0.2) ? blockBytes - sectorBytes : 0);
    if (deviceBytes <= 0) {
      deviceBytes = blockBytes;
    }
    int spares = 1 + random.below(3);
    int rings = 1 + random.below(2);
    int clientCount = 1 + random.below(3);
    long sectors = deviceBytes / sectorBytes;
    List<Workload> clients = new ArrayList<>();
    for (int i = 0; i < clientCount; i++) {
      clients.add(Workload.random(random, sectors, requests / clientCount));
    }
    List<SimAction> actions = new ArrayList<>();
    long length = random.logUniform((menu.copies ? 4_000 : 20) * MILLI, 20_000 * MILLI);
    Drawing drawing = new Drawing(random, menu, spares, length, sectors, actions);
    drawing.draw();
    if (crowded && !menu.copies) {
      drawing.crowd();
    }
    if (menu.replaces()) {
      drawing.replace();
    }
    // What was added later is drawn last, so that what a seed drew before stays.
    if (menu.hosted()) {
      drawing.returnOlder();
      drawing.letRivalHaveIt();
      drawing.foreignCopy();
    } else if (!menu.copies() && !menu.replaces()) {
      drawing.moveAway();
    }
    actions.sort(Comparator.comparingLong(SimAction::atNanos));
    actions.addAll(new LaterActions(later, menu, spares, length, List.copyOf(actions)).draw());
    return new SimScript(
        blockBytes, sectorBytes, deviceBytes, spares, rings, clients, List.copyOf(actions));
  }

  /** When the last action is due. */
  long lastNanos() {
    return actions.stream().mapToLong(SimAction::atNanos).max().orElse(0);
  }

  /** Draws the actions: first which kinds of trouble this run has at all, then each. */
  private record Drawing(
      SimRandom random, Menu menu, int spares, long length, long sectors, List<SimAction> actions) {

    void draw() {
      if (menu.copies()) {
        copies();
        return;
      }
      for (int disk = 0; disk <= spares; disk++) {
        boolean isMain = disk == 0;
        if (!random.chance(isMain ? 0.85 : 0.5)) {
          continue;
        }
        rate(0.3, SimAction.Kind.RATE_SLOW, disk, 0.0005, 0.1);
        rate(0.1, SimAction.Kind.RATE_STUCK, disk, 0.0002, 0.01);
        rate(isMain ? 0.6 : 0.3, SimAction.Kind.RATE_NEW_DEFECT, disk, 0.001, 0.1);
        rate(0.2, SimAction.Kind.RATE_TRANSIENT_MEDIA, disk, 0.001, 0.05);
        rate(0.15, SimAction.Kind.RATE_TRANSPORT, disk, 0.0005, 0.05);
        rate(0.05, SimAction.Kind.RATE_FLUSH_FAILS, disk, 0.005, 0.2);
        rate(0.2, SimAction.Kind.RATE_TORN_UNREADABLE, disk, 0.1, 0.9);
        if (menu.silent() && !isMain) {
          rate(0.15, SimAction.Kind.RATE_MISDIRECTED, disk, 0.001, 0.02);
          rate(0.15, SimAction.Kind.RATE_STALE, disk, 0.001, 0.05);
        }
        defects(disk, isMain);
        moments(disk, isMain);
      }
      if (menu.memoryMetadata()) {
        rate(0.2, SimAction.Kind.RATE_COMMIT_INDETERMINATE, -1, 0.01, 0.5);
        rate(0.15, SimAction.Kind.RATE_COMMIT_REFUSED, -1, 0.01, 0.5);
      }
      if (menu.crashes()) {
        int crashes = random.below(4);
        for (int i = 0; i < crashes; i++) {
          int kind = random.below(5);
          add(
              kind == 0
                  ? SimAction.Kind.STOP
                  : kind < 3 ? SimAction.Kind.KILL : SimAction.Kind.POWER_CUT,
              -1,
              random.nextLong() & 0xFFFF,
              0);
        }
      }
      if (random.chance(0.1)) {
        add(SimAction.Kind.CLOCK_JUMP, -1, random.below(7200) - 3600, 0);
      }
      if (menu.commands()) {
        if (random.chance(0.3)) {
          int times = 1 + random.below(4);
          for (int i = 0; i < times; i++) {
            add(SimAction.Kind.FREEZE, -1, 0, 0);
            add(SimAction.Kind.THAW, -1, 0, 0);
          }
        }
        if (random.chance(0.2)) {
          add(SimAction.Kind.STOP_DEVICE, -1, 0, 0);
          add(SimAction.Kind.START_DEVICE, -1, 0, 0);
        }
        if (random.chance(0.3)) {
          add(SimAction.Kind.SCRUB, -1, 0, 0);
        }
        if (random.chance(0.3)) {
          add(SimAction.Kind.REPAIR, -1, 0, 0);
        }
        if (menu.hosted()) {
          hosted();
        }
      }
    }

    /**
     * Main gives commits by going bad; the copies fail in no way but that they take their time, so
     * that all five are healthy when the daemon dies, and then the adversary has its turn.
     */
    private void copies() {
      rate(1, SimAction.Kind.RATE_NEW_DEFECT, 0, 0.02, 0.3);
      defects(0, true);
      for (int disk = 1; disk <= spares; disk++) {
        rate(0.8, SimAction.Kind.RATE_SLOW, disk, 0.02, 0.7);
      }
      int crashes = 2 + random.below(10);
      for (int i = 0; i < crashes; i++) {
        // Mostly when a promise was just made, and only the copies that made it can keep it.
        int kind = random.below(10);
        add(
            kind < 3
                ? SimAction.Kind.KILL
                : kind < 5
                    ? SimAction.Kind.POWER_CUT
                    : kind < 8
                        ? SimAction.Kind.CUT_AFTER_COMMIT
                        : SimAction.Kind.CUT_AFTER_CHECKPOINT,
            -1,
            0,
            0);
      }
      if (random.chance(0.3)) {
        // Another host works for a few seconds and dies; then the first goes on.
        actions.add(new SimAction(length + 1, SimAction.Kind.TAKE_OVER, -1, 0, 0));
        long work = 14_000 * MILLI + random.below(4_000 * MILLI);
        actions.add(new SimAction(length + work, SimAction.Kind.KILL, -1, 0, 0));
      }
      if (random.chance(0.3)) {
        add(SimAction.Kind.SCRUB, -1, 0, 0);
        add(SimAction.Kind.REPAIR, -1, 0, 0);
      }
    }

    /** What only a whole daemon can be asked, or live through. */
    private void hosted() {
      if (random.chance(0.2)) {
        add(SimAction.Kind.REMOVE_DEVICE, -1, 0, 0);
      }
      if (random.chance(0.25)) {
        int times = 1 + random.below(2);
        for (int i = 0; i < times; i++) {
          add(SimAction.Kind.ADD_SPARE, -1, 0, 0);
        }
      }
      if (random.chance(0.2)) {
        int spare = random.below(spares);
        add(SimAction.Kind.EVACUATE, -1, spare, 0);
        if (random.chance(0.2)) {
          add(SimAction.Kind.CANCEL_EVACUATION, -1, spare, 0);
        }
      }
      if (random.chance(0.15)) {
        add(SimAction.Kind.SWAP, random.below(spares + 1), 0, 0);
      }
      if (random.chance(0.2)) {
        add(SimAction.Kind.RIVAL, -1, 0, 0);
      }
    }

    /** A spare is pulled and comes back as it was earlier. */
    void returnOlder() {
      if (random.chance(0.25)) {
        int disk = 1 + random.below(spares);
        // Mostly with enough time between for commits that it misses.
        long kept = 1 + random.below(random.chance(0.7) ? length / 4 : length);
        actions.add(new SimAction(kept, SimAction.Kind.KEEP_IMAGE, disk, 0, 0));
        long back = kept + random.below(length);
        actions.add(new SimAction(back, SimAction.Kind.RETURN_OLDER, disk, 0, 0));
      }
    }

    /** A device that a second daemon waits for is stopped for a while. */
    void letRivalHaveIt() {
      if (has(SimAction.Kind.RIVAL) && random.chance(0.6)) {
        long stopped = length / 2 + random.below(length);
        actions.add(new SimAction(stopped, SimAction.Kind.STOP_DEVICE, -1, 0, 0));
        long started = stopped + random.logUniform(200 * MILLI, 5_000 * MILLI);
        actions.add(new SimAction(started, SimAction.Kind.START_DEVICE, -1, 0, 0));
      }
    }

    /**
     * Somebody makes another device on a disk of this one, and the next look at the copies notices.
     * Where copies may move, nobody here could say what stands at the place by then.
     */
    void foreignCopy() {
      if (has(SimAction.Kind.EVACUATE) || has(SimAction.Kind.ADD_SPARE) || !random.chance(0.1)) {
        return;
      }
      long at = 1 + random.below(length);
      actions.add(new SimAction(at, SimAction.Kind.FOREIGN_COPY, -1, random.below(5), 0));
      long looked = at + random.logUniform(MILLI, 1_000 * MILLI);
      actions.add(new SimAction(looked, SimAction.Kind.SCRUB, -1, 0, 0));
    }

    /** The blocks of a spare move to the others, while it is used. */
    void moveAway() {
      if (random.chance(0.25)) {
        int times = 1 + random.below(3);
        for (int i = 0; i < times; i++) {
          add(SimAction.Kind.EVACUATE, -1, random.below(spares), 0);
        }
      }
    }

    private boolean has(SimAction.Kind kind) {
      return actions.stream().anyMatch(action -> action.kind() == kind);
    }

    /** Another disk takes main's place, or would have. */
    void replace() {
      int next = spares + 1;
      add(SimAction.Kind.REPLACE, -1, random.logUniform(32 << 10, 8 << 20), 0);
      if (random.chance(0.3)) {
        add(SimAction.Kind.REPLACE, -1, random.logUniform(32 << 10, 8 << 20), 0);
      }
      if (random.chance(0.15)) {
        add(SimAction.Kind.CANCEL_REPLACE, -1, 0, 0);
      }
      rate(0.3, SimAction.Kind.RATE_SLOW, next, 0.0005, 0.1);
      rate(0.1, SimAction.Kind.RATE_STUCK, next, 0.0002, 0.01);
      rate(0.1, SimAction.Kind.RATE_TRANSPORT, next, 0.0005, 0.02);
      rate(0.05, SimAction.Kind.RATE_FLUSH_FAILS, next, 0.005, 0.2);
      rate(0.1, SimAction.Kind.RATE_NEW_DEFECT, next, 0.0005, 0.01);
      moments(next, true);
    }

    /** Main and spares that refuse again and again. */
    void crowd() {
      int times = 2 + random.below(10);
      for (int i = 0; i < times; i++) {
        int disk = random.chance(0.7) ? 0 : 1 + random.below(spares);
        add(SimAction.Kind.DEFECT, disk, random.nextLong() >>> 1, 0);
      }
      rate(0.5, SimAction.Kind.RATE_TRANSIENT_MEDIA, 0, 0.01, 0.3);
      rate(0.5, SimAction.Kind.RATE_TRANSIENT_MEDIA, 1, 0.01, 0.3);
      rate(0.3, SimAction.Kind.RATE_SLOW, 1, 0.01, 0.3);
    }

    private void defects(int disk, boolean isMain) {
      if (!random.chance(isMain ? 0.7 : 0.3)) {
        return;
      }
      int clusters = 1 + random.below(isMain ? 6 : 3);
      for (int i = 0; i < clusters; i++) {
        // Half of them are there from the start.
        long at = random.nextBoolean() ? 0 : random.below(length);
        actions.add(new SimAction(at, SimAction.Kind.DEFECT, disk, random.nextLong() >>> 1, 0));
      }
    }

    private void moments(int disk, boolean isMain) {
      if (random.chance(0.12)) {
        add(SimAction.Kind.HANG, disk, 0, 0);
        add(SimAction.Kind.RESUME, disk, 0, 0);
      }
      if (random.chance(0.2)) {
        add(SimAction.Kind.STALL, disk, random.logUniform(MILLI, 10_000 * MILLI), 0);
      }
      if (random.chance(0.08)) {
        add(SimAction.Kind.DISAPPEAR, disk, 0, 0);
        add(SimAction.Kind.REAPPEAR, disk, 0, 0);
      }
      if (menu.silent() && !isMain && random.chance(0.4)) {
        int times = 1 + random.below(3);
        for (int i = 0; i < times; i++) {
          add(SimAction.Kind.ROT, disk, 0, 0);
        }
      }
    }

    private void rate(double chance, SimAction.Kind kind, int disk, double low, double high) {
      if (random.chance(chance)) {
        double exponent = random.nextDouble() * Math.log(high / low);
        actions.add(new SimAction(0, kind, disk, 0, low * Math.exp(exponent)));
      }
    }

    private void add(SimAction.Kind kind, int disk, long number, double rate) {
      actions.add(new SimAction(1 + random.below(length), kind, disk, number, rate));
    }
  }
}

package io.spared.sim;

import io.spared.soak.SoakProgress;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A long campaign: all kinds of runs in turn, on as many cores as asked for. */
public final class SimCampaign {
  /** From here on a campaign that never reached something has failed. */
  private static final Duration LONG = Duration.ofMinutes(10);

  private SimCampaign() {}

  private record Found(String kind, long seed) {}

  /** Runs until it is over or something is found; says what. */
  public static boolean soak(
      long firstSeed,
      Duration length,
      BooleanSupplier over,
      List<String> rest,
      SoakProgress progress)
      throws InterruptedException {
    int cores = Runtime.getRuntime().availableProcessors();
    List<String> kinds = Kinds.ALL;
    Set<Integer> only = null;
    for (int i = 0; i + 1 < rest.size(); i += 2) {
      String value = rest.get(i + 1);
      switch (rest.get(i)) {
        case "--cores" -> cores = Integer.parseInt(value);
        case "--kind" -> kinds = List.of(value);
        case "--only" -> only = numbers(value);
        default -> throw new IllegalArgumentException("unknown argument " + rest.get(i));
      }
    }
    if (length.isZero()) {
      return one(firstSeed, kinds, only);
    }
    // A short campaign, or one of some kinds, cannot reach everything.
    boolean mustReachAll = length.compareTo(LONG) >= 0 && kinds.equals(Kinds.ALL);
    return many(firstSeed, over, cores, kinds, mustReachAll, progress);
  }

  private static Set<Integer> numbers(String list) {
    Set<Integer> numbers = new TreeSet<>();
    if (!list.equals("none")) {
      for (String number : list.split(",", -1)) {
        numbers.add(Integer.parseInt(number));
      }
    }
    return numbers;
  }

  private static boolean one(long seed, List<String> kinds, @Nullable Set<Integer> only) {
    boolean well = true;
    for (String kind : kinds) {
      boolean fails = Kinds.run(kind, seed, only).violation() != null;
      well &= !fails;
      if (fails || only != null) {
        System.out.println(Kinds.explain(kind, seed, only));
      } else {
        System.out.println("seed " + seed + " (" + kind + "): nothing wrong");
      }
    }
    return well;
  }

  private static boolean many(
      long firstSeed,
      BooleanSupplier over,
      int cores,
      List<String> kinds,
      boolean mustReachAll,
      SoakProgress progress)
      throws InterruptedException {
    long begun = System.nanoTime();
    AtomicLong next = new AtomicLong(firstSeed);
    AtomicReference<@Nullable Found> found = new AtomicReference<>();
    Map<String, CoreCampaign> campaigns = new TreeMap<>();
    for (String kind : kinds) {
      campaigns.put(kind, new CoreCampaign());
    }
    List<Thread> threads = new ArrayList<>();
    for (int core = 0; core < cores; core++) {
      threads.add(
          Thread.ofPlatform()
              .name("simulation-" + core)
              .start(() -> {
                while (!over.getAsBoolean() && found.get() == null) {
                  long seed = next.getAndIncrement();
                  String kind = kinds.get((int) Long.remainderUnsigned(seed, kinds.size()));
                  SimResult result = Kinds.run(kind, seed);
                  CoreCampaign campaign = campaigns.get(kind);
                  if (campaign != null) {
                    campaign.take(result);
                  }
                  if (result.violation() != null) {
                    found.compareAndSet(null, new Found(kind, seed));
                  }
                  progress.at(() -> said(campaigns, begun));
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    progress.say(said(campaigns, begun));
    System.out.println(
        LocalDate.now(ZoneOffset.UTC)
            + ": seeds "
            + firstSeed
            + " to "
            + (next.get() - 1)
            + ", the kind by turns of "
            + kinds);
    System.out.println(total(campaigns.values(), (System.nanoTime() - begun) / 1e9, cores));
    boolean reachedAll = printCoverage(campaigns.values());
    Found first = found.get();
    if (first != null) {
      System.out.println(Kinds.explain(first.kind(), first.seed(), null));
    }
    return first == null && (reachedAll || !mustReachAll);
  }

  /** All kinds together, and how fast that was. */
  private static String total(Collection<CoreCampaign> campaigns, double seconds, int cores) {
    CoreCampaign all = new CoreCampaign();
    campaigns.forEach(all::addAll);
    return String.format(
        "in all %s; on each of %d cores %.0f disk requests and %.1f lives a second (wanted: 50000"
            + " and 3)",
        all.summary(seconds),
        cores,
        all.diskRequests() / seconds / cores,
        all.lives() / seconds / cores);
  }

  private static String said(Map<String, CoreCampaign> campaigns, long begun) {
    double seconds = (System.nanoTime() - begun) / 1e9;
    StringBuilder text = new StringBuilder();
    campaigns.forEach((kind, campaign) ->
        text.append(text.isEmpty() ? "" : "; ")
            .append(kind)
            .append(": ")
            .append(campaign.summary(seconds)));
    return text.toString();
  }

  /** What was reached how often, and what never was. */
  private static boolean printCoverage(Collection<CoreCampaign> campaigns) {
    Coverage all = new Coverage();
    campaigns.forEach(campaign -> all.addAll(campaign.coverage()));
    System.out.println("reached:");
    all.counts().forEach((name, count) -> System.out.printf("  %-44s %12d%n", name, count));
    List<String> never = Kinds.never(all);
    System.out.println(
        never.isEmpty() ? "everything that should be was reached" : "never reached: " + never);
    return never.isEmpty();
  }
}

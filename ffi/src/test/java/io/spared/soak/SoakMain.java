package io.spared.soak;

import io.spared.bench.NamedClasses;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * {@code ./spared soak NAME [--minutes N] [--seed S] ...}: exit code 0 when nothing was found, 1
 * when something was or the soak failed, 2 when it was called wrongly, 4 when it did not end by
 * itself, which is a finding too: then every thread's stack is printed.
 */
public final class SoakMain {
  private static final NamedClasses SOAKS = new NamedClasses("io.spared.soak", "Soak");

  private SoakMain() {}

  public static void main(String[] arguments) throws Exception {
    System.exit(run(List.of(arguments)));
  }

  static int run(List<String> arguments) throws Exception {
    if (arguments.isEmpty() || arguments.get(0).startsWith("-")) {
      System.out.println(
          "usage: ./spared soak NAME [--minutes N] [--seed S]; NAME is one of "
              + String.join(", ", SOAKS.names()));
      return 2;
    }
    String name = arguments.get(0);
    double minutes = 10;
    long seed = new SecureRandom().nextLong() >>> 1;
    List<String> rest = new ArrayList<>();
    for (int i = 1; i < arguments.size(); i++) {
      String argument = arguments.get(i);
      if (argument.equals("--minutes") || argument.equals("--seed")) {
        if (++i == arguments.size()) {
          System.err.println("spared soak: " + argument + " needs a number");
          return 2;
        }
        try {
          if (argument.equals("--minutes")) {
            minutes = Double.parseDouble(arguments.get(i));
          } else {
            seed = Long.parseLong(arguments.get(i));
          }
        } catch (NumberFormatException e) {
          System.err.println("spared soak: " + argument + " " + arguments.get(i) + ": no number");
          return 2;
        }
      } else {
        rest.add(argument);
      }
    }
    Soak soak;
    try {
      soak = SOAKS.create(name, Soak.class);
    } catch (ClassNotFoundException e) {
      System.err.println(
          "spared soak: no soak " + name + "; there are " + String.join(", ", SOAKS.names()));
      return 2;
    }
    Duration length = Duration.ofMillis((long) (minutes * 60_000));
    System.out.println("soak " + name + " for " + length + ", seed " + seed);
    endBy(length.plusMinutes(2).plus(length.dividedBy(2)));
    SoakArguments asked =
        new SoakArguments(length, System.nanoTime() + length.toNanos(), seed, List.copyOf(rest));
    SoakProgress progress = new SoakProgress(System.out, System::nanoTime, length);
    boolean nothing = soak.run(asked, progress);
    System.out.println(
        nothing
            ? "soak " + name + ": nothing found"
            : "soak " + name + ": FOUND something; again with --seed " + seed);
    return nothing ? 0 : 1;
  }

  /** Halts the process when it goes on for too long, whatever its threads wait for. */
  private static void endBy(Duration limit) {
    Thread.ofPlatform()
        .daemon()
        .name("soak-limit")
        .start(() -> {
          try {
            Thread.sleep(limit);
          } catch (InterruptedException e) {
            return;
          }
          System.err.println("soak did not end by itself; its threads:");
          for (Map.Entry<Thread, StackTraceElement[]> thread :
              Thread.getAllStackTraces().entrySet()) {
            System.err.println(thread.getKey());
            for (StackTraceElement element : thread.getValue()) {
              System.err.println("    at " + element);
            }
          }
          Runtime.getRuntime().halt(4);
        });
  }
}

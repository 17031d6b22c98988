package io.spared.bench;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code ./spared bench NAME [--quick] [--baseline FILE] [--save FILE] ...}: runs one benchmark and
 * judges its figures. Exit codes: 0 every figure that is wanted was reached, 3 one fell short, 1
 * the benchmark failed, 2 it was called wrongly.
 */
public final class BenchMain {
  private static final NamedClasses BENCHMARKS = new NamedClasses("io.spared.bench", "Bench");

  private BenchMain() {}

  public static void main(String[] arguments) throws Exception {
    System.exit(run(List.of(arguments)));
  }

  static int run(List<String> arguments) throws Exception {
    if (arguments.isEmpty() || arguments.get(0).startsWith("-")) {
      System.out.println(
          "usage: ./spared bench NAME [--quick] [--baseline FILE] [--save FILE]; NAME is one of "
              + String.join(", ", BENCHMARKS.names()));
      return 2;
    }
    String name = arguments.get(0);
    boolean quick = false;
    @Nullable Path baseline = null;
    @Nullable Path save = null;
    List<String> rest = new ArrayList<>();
    for (int i = 1; i < arguments.size(); i++) {
      String argument = arguments.get(i);
      switch (argument) {
        case "--quick" -> quick = true;
        case "--baseline", "--save" -> {
          if (++i == arguments.size()) {
            System.err.println("spared bench: " + argument + " needs a file");
            return 2;
          }
          Path file = Path.of(arguments.get(i));
          if (argument.equals("--save")) {
            save = file;
          } else {
            baseline = file;
          }
        }
        default -> rest.add(argument);
      }
    }
    Benchmark benchmark;
    try {
      benchmark = BENCHMARKS.create(name, Benchmark.class);
    } catch (ClassNotFoundException e) {
      System.err.println(
          "spared bench: no benchmark "
              + name
              + "; there are "
              + String.join(", ", BENCHMARKS.names()));
      return 2;
    }
    FigureList earlier =
        baseline == null ? new FigureList() : FigureList.parse(Files.readAllLines(baseline));
    FigureList figures = new FigureList();
    try {
      benchmark.run(new BenchArguments(quick, List.copyOf(rest)), figures);
    } catch (Exception e) {
      System.out.flush();
      System.err.println("spared bench " + name + " failed:");
      e.printStackTrace();
      return 1;
    }
    System.out.println();
    figures.lines().forEach(System.out::println);
    if (baseline != null) {
      figures.compared(earlier).forEach(System.out::println);
    }
    if (save != null) {
      Files.write(save, figures.lines(), StandardCharsets.UTF_8);
    }
    return figures.exitCode();
  }

  /** For tests. */
  static int run(String... arguments) throws Exception {
    return run(Arrays.asList(arguments));
  }
}

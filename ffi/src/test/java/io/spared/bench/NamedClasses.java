package io.spared.bench;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Benchmarks and soaks are found by their class names, so that a module adds one by adding a class:
 * {@code disk-copy} in package {@code io.spared.bench} with suffix {@code Bench} is {@code
 * io.spared.bench.DiskCopyBench}.
 */
public record NamedClasses(String packageName, String suffix) {

  /** An instance of the class with this name, which has a constructor without parameters. */
  public <T> T create(String name, Class<T> type) throws ReflectiveOperationException {
    return type.cast(Class.forName(className(name)).getDeclaredConstructor().newInstance());
  }

  String className(String name) {
    StringBuilder camel = new StringBuilder(packageName).append('.');
    for (String word : name.split("-", -1)) {
      if (!word.isEmpty()) {
        camel.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
      }
    }
    return camel.append(suffix).toString();
  }

  /** All names in the directories of the class path. */
  public Collection<String> names() throws IOException {
    TreeSet<String> names = new TreeSet<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path directory = Path.of(entry, packageName.replace('.', '/'));
      if (Files.isDirectory(directory)) {
        try (Stream<Path> files = Files.list(directory)) {
          files.map(file -> file.getFileName().toString()).forEach(file -> addName(names, file));
        }
      }
    }
    return names;
  }

  private void addName(TreeSet<String> names, String file) {
    String end = suffix + ".class";
    if (file.endsWith(end) && file.length() > end.length() && file.indexOf('$') < 0) {
      names.add(dashed(file.substring(0, file.length() - end.length())));
    }
  }

  private static String dashed(String camel) {
    return camel.replaceAll("(?<=.)(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
  }
}

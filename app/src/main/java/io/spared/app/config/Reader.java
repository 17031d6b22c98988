package io.spared.app.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigValue;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * Reads single settings, and goes on after a wrong one, so that everything wrong is told at once.
 * It knows what was asked for, so that what nobody asked for is an unknown key.
 */
final class Reader {
  private final Config config;
  private final List<Problem> problems = new ArrayList<>();
  private final Set<String> known = new HashSet<>();

  Reader(Config config) {
    this.config = config;
  }

  List<Problem> problems() {
    return problems;
  }

  boolean has(String path) {
    known.add(path);
    return config.hasPath(path);
  }

  String string(String path, String otherwise) {
    return read(path, otherwise, () -> config.getString(path));
  }

  List<Path> paths(String path) {
    return read(path, List.of(), () -> config.getStringList(path).stream().map(Path::of).toList());
  }

  boolean flag(String path, boolean otherwise) {
    return read(path, otherwise, () -> config.getBoolean(path));
  }

  int number(String path, int otherwise, int least, int most) {
    int value = read(path, otherwise, () -> config.getInt(path));
    if (value < least || value > most) {
      problem(path, value + " is outside of " + least + " to " + most);
      return otherwise;
    }
    return value;
  }

  Duration duration(String path, Duration otherwise, Duration least, Duration most) {
    Duration value =
        read(
            path,
            otherwise,
            () -> {
              requireUnit(path, "ms, s, minutes, hours or days");
              return config.getDuration(path);
            });
    if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
      problem(path, words(value) + " is outside of " + words(least) + " to " + words(most));
      return otherwise;
    }
    return value;
  }

  long bytes(String path, long otherwise, long least, long most) {
    long value =
        read(
            path,
            otherwise,
            () -> {
              requireUnit(path, "KiB, MiB or GiB");
              return config.getBytes(path);
            });
    if (value < least || value > most) {
      problem(path, value + " bytes are outside of " + least + " to " + most);
      return otherwise;
    }
    return value;
  }

  List<String> strings(String path) {
    return read(path, List.of(), () -> config.getStringList(path));
  }

  <E extends Enum<E>> E choice(String path, E otherwise, Class<E> type) {
    String text = string(path, word(otherwise));
    List<String> words = new ArrayList<>();
    for (E value : type.getEnumConstants()) {
      if (word(value).equals(text)) {
        return value;
      }
      words.add(word(value));
    }
    problem(path, "\"" + text + "\" is none of " + String.join(", ", words));
    return otherwise;
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** The names directly under a path, in order. */
  List<String> namesUnder(String path) {
    known.add(path);
    if (!config.hasPath(path)) {
      return List.of();
    }
    try {
      return List.copyOf(new TreeSet<>(config.getObject(path).keySet()));
    } catch (ConfigException.WrongType wrong) {
      problem(path, "must be a set of names, each with its settings in braces");
      return List.of();
    }
  }

  void problem(String path, String sentence) {
    ConfigOrigin origin = origin(path);
    problems.add(
        origin == null
            ? new Problem("configuration", 0, path, sentence)
            : new Problem(file(origin), origin.lineNumber(), path, sentence));
  }

  /** File and line of a setting, or an empty text where it has none. */
  String where(String path) {
    ConfigOrigin origin = origin(path);
    return origin == null ? "" : file(origin) + ":" + origin.lineNumber();
  }

  private static String file(ConfigOrigin origin) {
    String name = origin.filename();
    return name == null ? origin.description() : name;
  }

  private @org.jspecify.annotations.Nullable ConfigOrigin origin(String path) {
    try {
      return config.hasPath(path) ? config.getValue(path).origin() : null;
    } catch (ConfigException wrong) {
      return wrong.origin();
    }
  }

  private void requireUnit(String path, String units) {
    Object raw = config.getValue(path).unwrapped();
    boolean bare = raw instanceof Number || raw.toString().strip().matches("\\d+");
    if (bare && !raw.toString().strip().equals("0")) {
      throw new ConfigException.BadValue(
          config.getValue(path).origin(), path, raw + " has no unit; write it with " + units);
    }
  }

  private <T> T read(String path, T otherwise, Supplier<T> get) {
    known.add(path);
    try {
      return config.hasPath(path) ? get.get() : otherwise;
    } catch (ConfigException wrong) {
      ConfigOrigin origin = wrong.origin();
      problems.add(
          new Problem(
              origin == null ? "configuration" : file(origin),
              origin == null ? 0 : origin.lineNumber(),
              path,
              plain(wrong)));
      return otherwise;
    }
  }

  /** The library's message without the place, which stands before it already. */
  private static String plain(ConfigException wrong) {
    String message = wrong.getMessage() == null ? wrong.toString() : wrong.getMessage();
    int cut = message.lastIndexOf("': ");
    if (wrong instanceof ConfigException.BadValue && cut >= 0) {
      return message.substring(cut + 3);
    }
    int at = message.indexOf(": ");
    return at > 0 && at < message.length() - 2 ? message.substring(at + 2) : message;
  }

  /** Every setting under a path that nobody asked for is a problem, with the nearest known name. */
  void refuseUnknown(String root) {
    if (!config.hasPath(root)) {
      return;
    }
    for (Map.Entry<String, ConfigValue> entry : config.getConfig(root).entrySet()) {
      String path = root + "." + entry.getKey();
      if (!isKnown(path)) {
        problem(path, "unknown setting" + suggestion(path));
      }
    }
  }

  private boolean isKnown(String path) {
    return known.contains(path);
  }

  private String suggestion(String path) {
    String best = "";
    int bestDistance = 4;
    for (String candidate : new TreeSet<>(known)) {
      int distance = distance(path, candidate);
      if (distance < bestDistance) {
        bestDistance = distance;
        best = candidate;
      }
    }
    return best.isEmpty() ? "; remove it, or see conf/spared.conf" : "; did you mean " + best + "?";
  }

  /** How many letters must change to make one text of the other. */
  static int distance(String left, String right) {
    int[] row = new int[right.length() + 1];
    for (int j = 0; j <= right.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= left.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= right.length(); j++) {
        int above = row[j];
        int change = diagonal + (left.charAt(i - 1) == right.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(change, Math.min(above, row[j - 1]) + 1);
        diagonal = above;
      }
    }
    return row[right.length()];
  }

  static String words(Duration duration) {
    if (duration.toMillis() % 1000 != 0) {
      return duration.toMillis() + " ms";
    }
    long seconds = duration.toSeconds();
    if (seconds != 0 && seconds % 86_400 == 0) {
      return seconds / 86_400 + " days";
    }
    if (seconds != 0 && seconds % 3600 == 0) {
      return seconds / 3600 + " hours";
    }
    return seconds + " s";
  }
}

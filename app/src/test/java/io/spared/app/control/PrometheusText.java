package io.spared.app.control;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Prometheus' text format 0.0.4, read as strictly as its description allows: a family's type and
 * help come once and before its samples, no series comes twice, counters end with _total, and a
 * histogram's buckets grow up to +Inf, which is its count.
 */
public final class PrometheusText {
  private static final String NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
  private static final String LABEL = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\n]|\\\\[\\\\\"n])*\"";
  private static final Pattern SAMPLE =
      Pattern.compile(
          "("
              + NAME
              + ")(?:\\{((?:"
              + LABEL
              + ")(?:,"
              + LABEL
              + ")*)?\\})? ([0-9.eE+-]+|\\+Inf|NaN)");
  private static final Pattern COMMENT = Pattern.compile("# (HELP|TYPE) (" + NAME + ") (.+)");

  private final Map<String, Double> samples = new LinkedHashMap<>();
  private final Map<String, String> types = new HashMap<>();

  private PrometheusText() {}

  /** Fails with the line that breaks the format. */
  public static PrometheusText parse(String text) {
    PrometheusText parsed = new PrometheusText();
    Set<String> helped = new HashSet<>();
    if (!text.endsWith("\n")) {
      throw new AssertionError("the last line has no end");
    }
    for (String line : text.split("\n", -1)) {
      if (line.isEmpty()) {
        continue;
      }
      if (line.startsWith("#")) {
        Matcher comment = COMMENT.matcher(line);
        check(comment.matches(), line);
        boolean type = comment.group(1).equals("TYPE");
        check(
            type
                ? parsed.types.put(comment.group(2), comment.group(3)) == null
                : helped.add(comment.group(2)),
            line);
        continue;
      }
      Matcher sample = SAMPLE.matcher(line);
      check(sample.matches(), line);
      String labels = sample.group(2) == null ? "" : sample.group(2);
      check(parsed.family(sample.group(1)) != null, line + " has no type before it");
      String series = sample.group(1) + "{" + labels + "}";
      check(parsed.samples.put(series, number(sample.group(3))) == null, line + " comes twice");
    }
    parsed.checkHistograms();
    return parsed;
  }

  private @Nullable String family(String sample) {
    String type = types.get(sample);
    if (type != null) {
      return type.equals("gauge") || (type.equals("counter") && sample.endsWith("_total"))
          ? sample
          : null;
    }
    String base = sample.replaceFirst("_(bucket|sum|count)$", "");
    return "histogram".equals(types.get(base)) ? base : null;
  }

  private void checkHistograms() {
    Map<String, Double> last = new HashMap<>();
    samples.forEach((series, value) -> {
      int le = series.indexOf("le=\"");
      if (series.contains("_bucket{") && le > 0) {
        String before = series.substring(0, le);
        check(value >= last.getOrDefault(before, 0.0), series + " is less than the one before");
        last.put(before, value);
        if (series.contains("le=\"+Inf\"")) {
          String count = before.replaceFirst("_bucket\\{", "_count{").replaceFirst(",?$", "") + "}";
          check(value.equals(samples.get(count)), series + " is not " + count);
        }
      }
    });
  }

  private static double number(String text) {
    return text.equals("+Inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(text);
  }

  private static void check(boolean holds, String line) {
    if (!holds) {
      throw new AssertionError("not in Prometheus' format: " + line);
    }
  }

  /** The one sample of this name whose labels contain all of these, such as device="a". */
  public double value(String name, String... labels) {
    double found = Double.NaN;
    for (Map.Entry<String, Double> sample : samples.entrySet()) {
      boolean matches = sample.getKey().startsWith(name + "{");
      for (String label : labels) {
        matches &= sample.getKey().contains(label);
      }
      if (matches) {
        check(Double.isNaN(found), name + " is not one sample");
        found = sample.getValue();
      }
    }
    check(!Double.isNaN(found), name + " is not there");
    return found;
  }

  public Map<String, String> types() {
    return types;
  }
}

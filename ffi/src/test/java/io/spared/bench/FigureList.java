package io.spared.bench;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The figures of a run, one line each: {@code figure NAME VALUE UNIT wanted OP VALUE}. A figure
 * that is not a number falls short, and so does a run without any figure.
 */
final class FigureList implements Figures {
  private record Figure(String name, double value, String unit, String operator, double wanted) {
    boolean met() {
      return switch (operator) {
        case ">=" -> value >= wanted;
        case "<=" -> value <= wanted;
        default -> Double.isFinite(value);
      };
    }

    String line() {
      String line = "figure " + name + " " + number(value) + " " + unit;
      return operator.isEmpty() ? line : line + " wanted " + operator + " " + number(wanted);
    }
  }

  private final List<Figure> figures = new ArrayList<>();

  @Override
  public void atLeast(String name, double value, String unit, double wanted) {
    add(new Figure(name, value, unit, ">=", wanted));
  }

  @Override
  public void atMost(String name, double value, String unit, double wanted) {
    add(new Figure(name, value, unit, "<=", wanted));
  }

  @Override
  public void report(String name, double value, String unit) {
    add(new Figure(name, value, unit, "", 0));
  }

  private void add(Figure figure) {
    if ((figure.name + figure.unit).chars().anyMatch(Character::isWhitespace)
        || figure.unit.isEmpty()) {
      throw new IllegalArgumentException(
          "names and units of figures are single words: " + figure.name + " " + figure.unit);
    }
    figures.add(figure);
  }

  List<String> lines() {
    return figures.stream().map(Figure::line).toList();
  }

  int exitCode() {
    return !figures.isEmpty() && figures.stream().allMatch(Figure::met) ? 0 : 3;
  }

  /** One line for each figure that the earlier run had too: old, new and their ratio. */
  List<String> compared(FigureList earlier) {
    Map<String, Figure> before = new LinkedHashMap<>();
    earlier.figures.forEach(figure -> before.put(figure.name, figure));
    List<String> lines = new ArrayList<>();
    for (Figure now : figures) {
      Figure then = before.get(now.name);
      if (then != null) {
        lines.add(
            "baseline "
                + now.name
                + " "
                + number(then.value)
                + " -> "
                + number(now.value)
                + " "
                + now.unit
                + " ratio "
                + number(now.value / then.value));
      }
    }
    return lines;
  }

  static FigureList parse(List<String> lines) {
    FigureList list = new FigureList();
    for (String line : lines) {
      String[] words = line.split(" ", -1);
      if (words.length >= 4 && words[0].equals("figure")) {
        list.report(words[1], Double.parseDouble(words[2]), words[3]);
      }
    }
    return list;
  }

  private static String number(double value) {
    return Double.isFinite(value)
        ? new BigDecimal(value).round(new MathContext(5)).stripTrailingZeros().toPlainString()
        : Double.toString(value);
  }
}

package io.spared.app.ctl;

import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/** Writes the few JSON texts that the client sends; a library would cost more than the request. */
final class Json {
  private Json() {}

  static String object(Map<String, ?> values) {
    StringJoiner joiner = new StringJoiner(",", "{", "}");
    values.forEach((name, value) -> joiner.add(string(name) + ":" + value(value)));
    return joiner.toString();
  }

  private static String value(Object value) {
    return switch (value) {
      case Boolean flag -> flag.toString();
      case Number number -> number.toString();
      case Map<?, ?> map -> {
        StringJoiner joiner = new StringJoiner(",", "{", "}");
        map.forEach((name, each) -> joiner.add(string(String.valueOf(name)) + ":" + value(each)));
        yield joiner.toString();
      }
      case List<?> list -> {
        StringJoiner joiner = new StringJoiner(",", "[", "]");
        list.forEach(each -> joiner.add(value(each)));
        yield joiner.toString();
      }
      default -> string(value.toString());
    };
  }

  private static String string(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> quoted.append("\\\"");
        case '\\' -> quoted.append("\\\\");
        default -> {
          if (c < 0x20) {
            quoted.append(String.format("\\u%04x", (int) c));
          } else {
            quoted.append(c);
          }
        }
      }
    }
    return quoted.append('"').toString();
  }
}

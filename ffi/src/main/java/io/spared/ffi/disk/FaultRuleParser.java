package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.FaultRule.Effect;
import io.spared.ffi.engine.IoRequest.Operation;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads faults in words. */
final class FaultRuleParser {
  private FaultRuleParser() {}

  static FaultRule parse(String text) {
    String[] words = text.strip().split("\\s+", -1);
    if (words.length < 2) {
      throw new IllegalArgumentException(
          "'"
              + text
              + "' is not a fault; write operations and what happens to them, such as"
              + " 'read fail=EIO range=1M+4K'");
    }
    Effect effect = null;
    long from = 0;
    long until = FaultRule.ALWAYS;
    double rate = 1;
    long skip = 0;
    long times = FaultRule.ALWAYS;
    for (int i = 1; i < words.length; i++) {
      String word = words[i];
      int equals = word.indexOf('=');
      String name = equals < 0 ? word : word.substring(0, equals);
      String value = equals < 0 ? "" : word.substring(equals + 1);
      switch (name) {
        case "range" -> {
          int plus = value.indexOf('+');
          if (plus <= 0) {
            throw new IllegalArgumentException(
                "'" + word + "' is not a range; write START+LENGTH, such as range=1M+4K");
          }
          from = ByteSize.parse(value.substring(0, plus));
          until = from + ByteSize.parse(value.substring(plus + 1));
        }
        case "rate" -> rate = share(word, value);
        case "skip" -> skip = count(word, value);
        case "times" -> times = count(word, value);
        default -> effect = effect(word, name, value);
      }
    }
    if (effect == null) {
      throw new IllegalArgumentException(
          "'"
              + text
              + "' does not say what happens; add fail=ERRNO, until-written=ERRNO,"
              + " delay=TIME, hang or tear=BYTES");
    }
    return new FaultRule(operations(words[0]), from, until, effect, rate, skip, times);
  }

  private static Effect effect(String word, String name, String value) {
    return switch (name) {
      case "fail" -> new Effect.Fail(errno(value));
      case "until-written" -> new Effect.FailUntilWritten(errno(value));
      case "delay" -> new Effect.Delay(time(word, value));
      case "hang" -> new Effect.Hang();
      case "tear" -> {
        int colon = value.indexOf(':');
        yield new Effect.Tear(
            Math.toIntExact(ByteSize.parse(colon < 0 ? value : value.substring(0, colon))),
            colon < 0 ? Errno.EIO : errno(value.substring(colon + 1)));
      }
      default ->
          throw new IllegalArgumentException(
              "'"
                  + word
                  + "' is unknown; choose fail=ERRNO, until-written=ERRNO, delay=TIME, hang,"
                  + " tear=BYTES, range=START+LENGTH, rate=SHARE, skip=N or times=N");
    };
  }

  private static Set<Operation> operations(String word) {
    if (word.equals("any")) {
      return FaultRule.possible();
    }
    Set<Operation> operations = EnumSet.noneOf(Operation.class);
    for (String part : word.split(",", -1)) {
      Operation operation = operation(part);
      if (operation == null) {
        throw new IllegalArgumentException(
            "'"
                + part
                + "' is no operation; choose read, write, flush, discard, write-zeroes or"
                + " any, separated by commas");
      }
      operations.add(operation);
    }
    return operations;
  }

  private static @Nullable Operation operation(String word) {
    for (Operation operation : FaultRule.possible()) {
      if (operation.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(word)) {
        return operation;
      }
    }
    return null;
  }

  private static Errno errno(String name) {
    for (Errno errno : Errno.values()) {
      if (errno.name().equalsIgnoreCase(name)) {
        return errno;
      }
    }
    throw new IllegalArgumentException(
        "'" + name + "' is no errno known here; choose one such as EIO, ENODATA or ENXIO");
  }

  private static Duration time(String word, String value) {
    try {
      if (value.endsWith("ms")) {
        return Duration.ofMillis(Long.parseLong(value.substring(0, value.length() - 2)));
      }
      if (value.endsWith("us")) {
        return Duration.ofNanos(Long.parseLong(value.substring(0, value.length() - 2)) * 1000);
      }
      if (value.endsWith("s")) {
        return Duration.ofSeconds(Long.parseLong(value.substring(0, value.length() - 1)));
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + word + "' is not a time; write 200ms or 2s", e);
    }
    throw new IllegalArgumentException("'" + word + "' is not a time; write 200ms or 2s");
  }

  private static long count(String word, String value) {
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + word + "' needs a whole number", e);
    }
  }

  private static double share(String word, String value) {
    try {
      return Double.parseDouble(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("'" + word + "' needs a share, such as 0.1", e);
    }
  }
}

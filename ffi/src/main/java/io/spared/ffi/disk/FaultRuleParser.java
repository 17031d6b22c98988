package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.FaultRule.Effect;
import io.spared.ffi.engine.IoRequest.Operation;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads faults in words. */
final class FaultRuleParser {
  private static final Pattern TIME = Pattern.compile("([0-9]{1,12})(us|ms|s)");
  private static final long TEAR_BYTES_MOST = 1L << 30;

  /** A day in nanoseconds is far from the end of a long. */
  private static final Duration DELAY_MOST = Duration.ofDays(1);

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
          long length = ByteSize.parse(value.substring(plus + 1));
          until = length > FaultRule.ALWAYS - from ? FaultRule.ALWAYS : from + length;
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
        long bytes = ByteSize.parse(colon < 0 ? value : value.substring(0, colon));
        if (bytes > TEAR_BYTES_MOST) {
          throw new IllegalArgumentException("'" + word + "' is more than any write has, 1 GiB");
        }
        yield new Effect.Tear(
            (int) bytes, colon < 0 ? Errno.EIO : errno(value.substring(colon + 1)));
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
    Matcher matcher = TIME.matcher(value);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("'" + word + "' is not a time; write 200ms or 2s");
    }
    long count = Long.parseLong(matcher.group(1));
    Duration time =
        switch (matcher.group(2)) {
          case "us" -> Duration.ofNanos(count * 1000);
          case "ms" -> Duration.ofMillis(count);
          default -> Duration.ofSeconds(count);
        };
    if (time.compareTo(DELAY_MOST) > 0) {
      throw new IllegalArgumentException("'" + word + "' is longer than a day; write hang");
    }
    return time;
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

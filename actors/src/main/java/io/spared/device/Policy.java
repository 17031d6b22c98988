package io.spared.device;

import io.spared.ffi.disk.ByteSize;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The settings of a device that can be changed while it runs, and how their values are written.
 * Their limits are those of the configuration.
 */
final class Policy {
  private static final Pattern DURATION =
      Pattern.compile(
          "(\\d{1,12})\\s*(ms|s|seconds?|m|minutes?|h|hours?|d|days?)", Pattern.CASE_INSENSITIVE);
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final long RATE_LEAST = 64L << 10;
  private static final long RATE_MOST = 100L << 30;

  private Policy() {}

  /** A value that was understood, or why not. */
  record Reading(Optional<String> problem, UnaryOperator<DeviceSettings> change) {
    DeviceSettings apply(DeviceSettings settings) {
      return change.apply(settings);
    }
  }

  static Reading read(String name, String value) {
    return switch (name) {
      case "auto-repair" ->
          flag(name, value, (s, on) -> s.withUpkeep(upkeep(s, on, null, null, null, null)));
      case "auto-evacuate" ->
          flag(
              name,
              value,
              (s, on) ->
                  s.withUpkeep(
                      moves(s, on, s.upkeep().failedAfter(), s.upkeep().moveBytesPerSecond())));
      case "failed-after" ->
          duration(
              name,
              value,
              MILLISECOND,
              Duration.ofDays(365),
              (s, d) ->
                  s.withUpkeep(
                      moves(s, s.upkeep().autoEvacuate(), d, s.upkeep().moveBytesPerSecond())));
      case "move-rate" ->
          rate(
              name,
              value,
              (s, b) ->
                  s.withUpkeep(moves(s, s.upkeep().autoEvacuate(), s.upkeep().failedAfter(), b)));
      case "surface-scan" ->
          flag(name, value, (s, on) -> s.withUpkeep(upkeep(s, null, null, null, null, on)));
      case "scrub-interval" ->
          duration(
              name,
              value,
              Duration.ofSeconds(1),
              Duration.ofDays(365),
              (s, d) -> s.withUpkeep(upkeep(s, null, d, null, null, null)));
      case "surface-period" ->
          duration(
              name,
              value,
              Duration.ofMinutes(1),
              Duration.ofDays(3650),
              (s, d) -> s.withUpkeep(upkeep(s, null, null, d, null, null)));
      case "surface-floor" ->
          rate(name, value, (s, b) -> s.withUpkeep(upkeep(s, null, null, null, b, null)));
      case "request-deadline" ->
          duration(
              name,
              value,
              MILLISECOND,
              Duration.ofHours(1),
              (s, d) -> s.withDeadlines(deadlines(s, d, null, null)));
      case "commit-timeout" ->
          duration(
              name,
              value,
              MILLISECOND,
              Duration.ofMinutes(10),
              (s, d) -> s.withDeadlines(deadlines(s, null, d, null)));
      case "drain-deadline" ->
          duration(
              name,
              value,
              MILLISECOND,
              Duration.ofHours(1),
              (s, d) -> s.withDeadlines(deadlines(s, null, null, d)));
      default ->
          refused(
              name
                  + " is no setting; there are auto-evacuate, auto-repair, commit-timeout,"
                  + " drain-deadline, failed-after, move-rate, request-deadline, scrub-interval,"
                  + " surface-floor, surface-period, surface-scan");
    };
  }

  /** The interface of a change with one value. */
  private interface With<T> {
    DeviceSettings apply(DeviceSettings settings, T value);
  }

  private static Reading flag(String name, String value, With<Boolean> with) {
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "on", "true", "yes" -> new Reading(Optional.empty(), s -> with.apply(s, true));
      case "off", "false", "no" -> new Reading(Optional.empty(), s -> with.apply(s, false));
      default -> refused(name + ": " + value + " is neither on nor off");
    };
  }

  private static Reading duration(
      String name, String value, Duration least, Duration most, With<Duration> with) {
    Matcher matcher = DURATION.matcher(value.strip());
    if (!matcher.matches()) {
      return refused(
          name + ": " + value + " is no time; write a number and a unit, such as 90 s or 1 hour");
    }
    long count = Long.parseLong(matcher.group(1));
    String unit = matcher.group(2).toLowerCase(Locale.ROOT);
    Duration duration =
        unit.equals("ms")
            ? Duration.ofMillis(count)
            : switch (unit.charAt(0)) {
              case 's' -> Duration.ofSeconds(count);
              case 'm' -> Duration.ofMinutes(count);
              case 'h' -> Duration.ofHours(count);
              default -> Duration.ofDays(count);
            };
    if (duration.compareTo(least) < 0 || duration.compareTo(most) > 0) {
      return refused(name + ": " + value + " is outside of " + words(least) + " to " + words(most));
    }
    return new Reading(Optional.empty(), s -> with.apply(s, duration));
  }

  private static Reading rate(String name, String value, With<Long> with) {
    long bytes = bytes(value);
    return bytes < RATE_LEAST || bytes > RATE_MOST
        ? refused(
            name
                + ": "
                + value
                + " is not a rate from 64 KiB to 100 GiB in a second; write for example 1 MiB")
        : new Reading(Optional.empty(), s -> with.apply(s, bytes));
  }

  /** Also as it is shown, 16 MiB/s; -1 when it is no size. */
  private static long bytes(String value) {
    String stripped = value.strip();
    try {
      return ByteSize.parse(
          stripped.endsWith("/s") ? stripped.substring(0, stripped.length() - 2) : stripped);
    } catch (IllegalArgumentException notOne) {
      return -1;
    }
  }

  private static DeviceSettings.Upkeep moves(
      DeviceSettings s, boolean autoEvacuate, Duration failedAfter, long moveBytesPerSecond) {
    DeviceSettings.Upkeep u = s.upkeep();
    return new DeviceSettings.Upkeep(
        u.autoRepair(),
        autoEvacuate,
        failedAfter,
        moveBytesPerSecond,
        u.scrubInterval(),
        u.surfacePeriod(),
        u.surfaceFloorBytesPerSecond(),
        u.surfaceScan());
  }

  private static Reading refused(String sentence) {
    return new Reading(Optional.of(sentence), UnaryOperator.identity());
  }

  private static DeviceSettings.Upkeep upkeep(
      DeviceSettings s,
      @org.jspecify.annotations.Nullable Boolean autoRepair,
      @org.jspecify.annotations.Nullable Duration scrub,
      @org.jspecify.annotations.Nullable Duration period,
      @org.jspecify.annotations.Nullable Long floor,
      @org.jspecify.annotations.Nullable Boolean surface) {
    DeviceSettings.Upkeep u = s.upkeep();
    return new DeviceSettings.Upkeep(
        autoRepair == null ? u.autoRepair() : autoRepair,
        u.autoEvacuate(),
        u.failedAfter(),
        u.moveBytesPerSecond(),
        scrub == null ? u.scrubInterval() : scrub,
        period == null ? u.surfacePeriod() : period,
        floor == null ? u.surfaceFloorBytesPerSecond() : floor,
        surface == null ? u.surfaceScan() : surface);
  }

  private static DeviceSettings.Deadlines deadlines(
      DeviceSettings s,
      @org.jspecify.annotations.Nullable Duration request,
      @org.jspecify.annotations.Nullable Duration commit,
      @org.jspecify.annotations.Nullable Duration drain) {
    DeviceSettings.Deadlines d = s.deadlines();
    return new DeviceSettings.Deadlines(
        d.open(),
        request == null ? d.request() : request,
        commit == null ? d.commit() : commit,
        drain == null ? d.drain() : drain);
  }

  /** What the device's metadata says, unless the configuration says otherwise. */
  static DeviceSettings fromMetadata(DeviceSettings settings, Map<String, String> policy) {
    DeviceSettings next = settings;
    for (Map.Entry<String, String> entry : policy.entrySet()) {
      if (!settings.overrides().containsKey(entry.getKey())) {
        Reading reading = read(entry.getKey(), entry.getValue());
        if (reading.problem().isEmpty()) {
          next = reading.apply(next);
        }
      }
    }
    return next;
  }

  /** Every setting with its value and where it comes from. */
  static Map<String, DeviceStatus.PolicyValue> shown(
      DeviceSettings settings, Map<String, String> metadata) {
    Map<String, String> values = new TreeMap<>();
    values.put("auto-repair", settings.upkeep().autoRepair() ? "on" : "off");
    values.put("auto-evacuate", settings.upkeep().autoEvacuate() ? "on" : "off");
    values.put("failed-after", words(settings.upkeep().failedAfter()));
    values.put("move-rate", rate(settings.upkeep().moveBytesPerSecond()));
    values.put("surface-scan", settings.upkeep().surfaceScan() ? "on" : "off");
    values.put("scrub-interval", words(settings.upkeep().scrubInterval()));
    values.put("surface-period", words(settings.upkeep().surfacePeriod()));
    values.put("surface-floor", rate(settings.upkeep().surfaceFloorBytesPerSecond()));
    values.put("request-deadline", words(settings.deadlines().request()));
    values.put("commit-timeout", words(settings.deadlines().commit()));
    values.put("drain-deadline", words(settings.deadlines().drain()));
    Map<String, DeviceStatus.PolicyValue> shown = new TreeMap<>();
    values.forEach((name, value) -> {
      String fixedAt = settings.overrides().get(name);
      shown.put(
          name,
          new DeviceStatus.PolicyValue(
              value,
              fixedAt != null ? fixedAt : metadata.containsKey(name) ? "metadata" : "default"));
    });
    return shown;
  }

  private static String rate(long bytesPerSecond) {
    return ByteSize.format(bytesPerSecond) + "/s";
  }

  /** In the largest unit that gives a whole number, as {@link #read} takes it. */
  private static String words(Duration duration) {
    long millis = duration.toMillis();
    if (millis % 1000 != 0) {
      return millis + " ms";
    }
    long seconds = millis / 1000;
    if (seconds == 0 || seconds % 60 != 0) {
      return seconds + " s";
    }
    if (seconds % 3600 != 0) {
      return counted(seconds / 60, "minute");
    }
    return seconds % 86400 == 0 ? counted(seconds / 86400, "day") : counted(seconds / 3600, "hour");
  }

  private static String counted(long count, String unit) {
    return count + " " + unit + (count == 1 ? "" : "s");
  }
}

package io.spared.app.offline;

import io.spared.format.CopyFinding;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.EventRecord;
import io.spared.format.LostBits;
import io.spared.format.RemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareTable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What was found, as plain values: for people and for JSON alike. */
public final class Reports {
  private Reports() {}

  /** Exit codes of check. */
  public static final int HEALTHY = 0;

  public static final int REPAIRABLE = 1;
  public static final int DAMAGED = 2;
  public static final int UNUSABLE = 3;

  /** How a device stands, as an exit code. */
  public static int code(CopyVerdict verdict) {
    return switch (verdict.decision()) {
      case USABLE -> verdict.isHealthy() ? HEALTHY : REPAIRABLE;
      case NEEDS_PERSON -> DAMAGED;
      case NEWER_FORMAT, CONTRADICTION, NOTHING -> UNUSABLE;
    };
  }

  /**
   * What check says.
   *
   * @param values one entry for each device, and for each spare whose tables are damaged
   */
  public record Check(int code, Map<String, Object> values, String text) {}

  private static String word(int code) {
    return switch (code) {
      case HEALTHY -> "healthy";
      case REPAIRABLE -> "repairable";
      case DAMAGED -> "damaged";
      default -> "unusable";
    };
  }

  /** Judges every device, and the spares' own tables. */
  public static Check check(Survey survey) {
    Map<String, Object> all = new LinkedHashMap<>();
    List<String> lines = new ArrayList<>();
    int worst = HEALTHY;
    for (Survey.Found found : survey.devices().values()) {
      CopyVerdict verdict = found.verdict();
      int code = code(verdict);
      worst = Math.max(worst, code);
      long good =
          verdict.findings().stream()
              .filter(finding -> finding.standing() == CopyFinding.Standing.CURRENT)
              .count();
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("verdict", word(code));
      one.put("code", code);
      one.put("device", found.deviceId().toString());
      one.put("copiesCurrent", good);
      one.put("copies", verdict.findings().size());
      one.put("reasons", verdict.reasons());
      String name = found.image().map(DeviceImage::name).orElse(found.deviceId().toString());
      all.put(name, one);
      lines.add(
          name
              + ": "
              + word(code)
              + ", copies "
              + good
              + " of "
              + verdict.findings().size()
              + (verdict.reasons().isEmpty() ? "" : ": " + String.join("; ", verdict.reasons())));
    }
    for (Map.Entry<String, Survey.Spare> spare : survey.spares().entrySet()) {
      SpareTable.Choice choice = spare.getValue().choice();
      if (!choice.stale().isEmpty() || choice.table().isEmpty()) {
        worst = Math.max(worst, REPAIRABLE);
        String which = choice.table().isEmpty() ? "all three" : choice.stale().toString();
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("verdict", word(REPAIRABLE));
        one.put("code", REPAIRABLE);
        one.put("damagedTables", which);
        all.put(spare.getKey(), one);
        lines.add(spare.getKey() + ": spare's tables damaged: " + which);
      }
    }
    if (survey.devices().isEmpty()) {
      String sentence = "no device is found on these disks; name the spare";
      all.put("refused", sentence);
      lines.add(sentence);
      worst = UNUSABLE;
    }
    return new Check(worst, all, String.join("\n", lines));
  }

  /** Everything about a survey. */
  public static Map<String, Object> survey(Survey survey) {
    Map<String, Object> all = new LinkedHashMap<>();
    List<Object> spares = new ArrayList<>();
    survey.spares().forEach((text, spare) -> spares.add(spare(text, spare)));
    all.put("spares", spares);
    List<Object> mains = new ArrayList<>();
    survey
        .labels()
        .forEach((text, label) -> {
          Map<String, Object> main = new LinkedHashMap<>();
          main.put("disk", text);
          main.put("device", label.deviceId().toString());
          main.put("form", label.form().name().toLowerCase(Locale.ROOT));
          main.put("deviceBytes", label.deviceBytes());
          mains.add(main);
        });
    all.put("mains", mains);
    List<Object> devices = new ArrayList<>();
    survey.devices().values().forEach(found -> devices.add(device(found)));
    all.put("devices", devices);
    all.put("nothingOfOurs", survey.others());
    return all;
  }

  private static Map<String, Object> spare(String text, Survey.Spare spare) {
    Map<String, Object> one = new LinkedHashMap<>();
    one.put("disk", text);
    one.put("spare", spare.spareId().toString());
    one.put("bytes", spare.disk().sizeBytes());
    Optional<SpareTable> table = spare.choice().table();
    one.put("table", table.isPresent() ? "version " + table.get().version() : "all three damaged");
    one.put("damagedTables", spare.choice().stale().stream().map(String::valueOf).toList());
    one.put("reasons", spare.choice().reasons());
    Map<String, Long> lent = new TreeMap<>();
    table.ifPresent(t ->
        t.lent()
            .forEach(
                range -> lent.merge(range.deviceId().toString(), range.lengthBytes(), Long::sum)));
    one.put("lentBytes", lent);
    return one;
  }

  private static Map<String, Object> device(Survey.Found found) {
    Map<String, Object> one = new LinkedHashMap<>();
    CopyVerdict verdict = found.verdict();
    one.put("device", found.deviceId().toString());
    one.put(
        "verdict",
        verdict.isHealthy()
            ? "healthy"
            : verdict.decision().name().toLowerCase(Locale.ROOT).replace('_', ' '));
    one.put("reasons", verdict.reasons());
    verdict.position().ifPresent(position -> one.put("position", position.toString()));
    List<Object> copies = new ArrayList<>();
    for (CopyFinding finding : verdict.findings()) {
      Map<String, Object> copy = new LinkedHashMap<>();
      copy.put("copy", finding.copy());
      copy.put("spare", finding.spare());
      copy.put("offsetBytes", finding.offsetBytes());
      copy.put("standing", finding.standing().name().toLowerCase(Locale.ROOT));
      finding.position().ifPresent(position -> copy.put("position", position.toString()));
      if (!finding.sentence().isEmpty()) {
        copy.put("sentence", finding.sentence());
      }
      copies.add(copy);
    }
    one.put("copies", copies);
    found.image().ifPresent(image -> one.putAll(image(image)));
    return one;
  }

  private static Map<String, Object> image(DeviceImage image) {
    Map<String, Object> one = new LinkedHashMap<>();
    one.put("name", image.name());
    one.put("form", image.form().name().toLowerCase(Locale.ROOT));
    one.put("deviceBytes", image.geometry().deviceBytes());
    one.put("blockBytes", image.geometry().blockBytes());
    one.put("sectorBytes", image.geometry().sectorBytes());
    one.put("main", image.main().evidence().identity().kernelName());
    one.put("mainBytes", image.main().evidence().sizeBytes());
    image.main().evidence().identity().serial().ifPresent(serial -> one.put("mainSerial", serial));
    List<String> spares = new ArrayList<>();
    for (SpareMember spare : image.spares().values()) {
      spares.add(
          spare.index()
              + " "
              + spare.spareId()
              + " "
              + spare.state().name().toLowerCase(Locale.ROOT).replace('_', ' '));
    }
    one.put("spares", spares);
    one.put("lentBytes", Survey.lentBytes(image));
    one.put("remapped", image.entries().remapCount());
    one.put("pending", image.entries().pendingCount());
    one.put("retiredSlots", image.retiredSlotCount());
    image.owner().ifPresent(owner -> one.put("owner", owner.hostName() + " " + owner.hostId()));
    one.put("stoppedCleanly", image.cleanMark().isPresent());
    one.put("policy", new TreeMap<>(image.policy()));
    List<String> events = new ArrayList<>();
    for (EventRecord event : image.events()) {
      events.add(
          Instant.ofEpochMilli(event.timeMillis()) + " " + event.kind() + " " + event.text());
    }
    one.put("events", events);
    return one;
  }

  /** Every remapped and pending block. */
  public static List<Object> remaps(DeviceImage image) {
    List<Object> all = new ArrayList<>();
    RemapEntries.Walk walk = image.entries().walk();
    while (walk.next()) {
      Map<String, Object> one = new LinkedHashMap<>();
      LostBits lost = new LostBits(walk.lostLow(), walk.lostHigh());
      one.put("block", walk.block());
      if (walk.isPending()) {
        one.put("pending", true);
        one.put("unreadableSectors", lost.count());
      } else {
        one.put("spare", walk.spare());
        one.put("slot", walk.slot());
        one.put("lostSectors", lost.count());
      }
      all.add(one);
    }
    return all;
  }

  /** All remaps of all devices as lines; a device that has none says so. */
  public static String dump(Map<String, Object> remapsByName) {
    StringBuilder text = new StringBuilder();
    remapsByName.forEach((name, remaps) -> {
      boolean none = remaps instanceof List<?> list && list.isEmpty();
      text.append(name).append(none ? ": no block is remapped or pending\n" : ":\n");
      append(text, remaps, 1);
    });
    return text.toString().stripTrailing();
  }

  /** Plain values as indented lines. */
  public static String text(Object value) {
    StringBuilder text = new StringBuilder();
    append(text, value, 0);
    return text.toString();
  }

  private static void append(StringBuilder text, Object value, int depth) {
    String indent = "  ".repeat(depth);
    if (value instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        Object inner = entry.getValue();
        if (inner instanceof Map<?, ?> || inner instanceof List<?>) {
          if ((inner instanceof List<?> list && list.isEmpty())
              || (inner instanceof Map<?, ?> m && m.isEmpty())) {
            continue;
          }
          text.append(indent).append(entry.getKey()).append(":\n");
          append(text, inner, depth + 1);
        } else {
          text.append(indent).append(entry.getKey()).append(": ").append(inner).append('\n');
        }
      }
    } else if (value instanceof List<?> list) {
      for (Object inner : list) {
        if (inner instanceof Map<?, ?> map && map.values().stream().noneMatch(Reports::isNested)) {
          List<String> words = new ArrayList<>();
          map.forEach((name, v) -> words.add(name + " " + v));
          text.append(indent).append("- ").append(String.join(", ", words)).append('\n');
        } else if (inner instanceof Map<?, ?>) {
          text.append(indent).append("-\n");
          append(text, inner, depth + 1);
        } else {
          text.append(indent).append("- ").append(inner).append('\n');
        }
      }
    } else {
      text.append(indent).append(value).append('\n');
    }
  }

  private static boolean isNested(Object value) {
    return value instanceof Map<?, ?> || value instanceof List<?>;
  }
}

package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.FaultPlan;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.disk.FaultRule;
import java.util.Optional;
import java.util.stream.Collectors;

/** Faults for disks that were opened as {@code fault:}, as people write them. */
final class Faults {
  private Faults() {}

  static Answer inject(FaultPlans plans, Disk disk, String words) {
    Optional<FaultPlan> found = plans.find(disk.address().toString());
    if (found.isEmpty()) {
      return new Answer.Refused(
          disk.address() + ": faults can be injected only into a disk named fault:...");
    }
    FaultPlan plan = found.get();
    return switch (words.strip()) {
      case "clear" -> {
        plan.clear();
        plan.releaseHanging();
        yield new Answer.Done(disk.address() + " has no faults any more");
      }
      case "release" -> {
        plan.releaseHanging();
        yield new Answer.Done(disk.address() + ": what hung goes on");
      }
      case "list", "" ->
          new Answer.Done(
              disk.address()
                  + ": "
                  + plan.struck()
                  + " requests were hit; rules: "
                  + (plan.rules().isEmpty()
                      ? "none"
                      : plan.rules().stream()
                          .map(active -> active.rule() + " (" + active.struck() + ")")
                          .collect(Collectors.joining("; "))));
      default -> {
        try {
          FaultRule rule = FaultRule.parse(words);
          plan.add(rule);
          yield new Answer.Done(disk.address() + ": " + rule);
        } catch (IllegalArgumentException wrong) {
          yield new Answer.Refused(String.valueOf(wrong.getMessage()));
        }
      }
    };
  }
}

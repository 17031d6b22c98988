package io.spared.discovery;

import io.spared.discovery.Judgement.Decision;
import io.spared.ffi.disk.DiskAddress;
import io.spared.format.AreaReading;
import io.spared.format.CopyChoice;
import io.spared.format.CopyFinding;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Form;
import io.spared.format.Position;
import io.spared.format.SpareMember;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Decides about every set-up of which something was found: a pure function from what stands on all
 * disks to judgements.
 *
 * <p>The rules, in order. What contradicts forbids: two disks that both claim to be one spare or
 * one main, another serial number or WWN, another size, histories or hosts that contradict, a state
 * older than this host has seen. What is missing waits. Then the evidence is added up, and below
 * the threshold it waits as well. Wrong activation destroys data; waiting only costs time.
 *
 * <p>It decides from what was read some time ago. So it is not what keeps two owners apart: the
 * device opens its disks exclusively, and compares them with its metadata again, before it serves.
 */
public final class SetUpJudge {
  /** All copies hold the newest state. */
  private static final int COPIES_POINTS = 40;

  /** A majority does, so the newest state is certain; what is damaged will be repaired. */
  private static final int COPIES_DAMAGED_POINTS = 30;

  private static final int SPARES_POINTS = 10;
  private static final int SIZE_POINTS = 10;
  private static final int HISTORY_POINTS = 10;

  private final FoundDisks disks;
  private final HostKnowledge knowledge;

  private SetUpJudge(FoundDisks disks, HostKnowledge knowledge) {
    this.disks = disks;
    this.knowledge = knowledge;
  }

  /** One judgement for each device of which a spare speaks, by name. */
  public static List<Judgement> judge(List<DiskFinding> disks, HostKnowledge knowledge) {
    return new SetUpJudge(new FoundDisks(disks), knowledge).judge();
  }

  private List<Judgement> judge() {
    List<Judgement> judgements = new ArrayList<>();
    for (UUID deviceId : disks.devices()) {
      judgements.add(new Case(deviceId).judge());
    }
    return withoutSharedMains(judgements).stream()
        .sorted(Comparator.comparing(Judgement::name).thenComparing(Judgement::deviceId))
        .toList();
  }

  /** One disk cannot be the main of two devices: then neither is what it seems. */
  private static List<Judgement> withoutSharedMains(List<Judgement> judgements) {
    Map<DiskAddress, Long> uses =
        judgements.stream()
            .flatMap(judgement -> judgement.setUp().stream())
            .collect(Collectors.groupingBy(SetUp::main, Collectors.counting()));
    return judgements.stream()
        .map(judgement ->
            judgement
                .setUp()
                .filter(setUp -> uses.getOrDefault(setUp.main(), 0L) > 1)
                .map(setUp ->
                    judgement.forbidden(
                        setUp.main() + " would be the main disk of another device too"))
                .orElse(judgement))
        .toList();
  }

  /** One device while it is judged. */
  private final class Case {
    private final UUID deviceId;
    private final List<Evidence> evidence = new ArrayList<>();
    private final List<String> contradictions = new ArrayList<>();
    private final List<String> doubts = new ArrayList<>();
    private @Nullable DiskFinding main;

    Case(UUID deviceId) {
      this.deviceId = deviceId;
    }

    Judgement judge() {
      List<CopyReading> readings = new ArrayList<>();
      Set<UUID> spares = new TreeSet<>();
      for (DiskFinding disk : disks.withCopiesOf(deviceId)) {
        // Of two disks that claim to be one spare only the first is counted, and both are told of.
        if (spares.add(disk.table().orElseThrow().spareId())) {
          readings.addAll(disk.copies().getOrDefault(deviceId, List.of()));
        }
      }
      CopyVerdict verdict =
          CopyChoice.choose(
              readings,
              new CopyChoice.Circumstances(
                  deviceId,
                  disks.spares(),
                  Optional.ofNullable(knowledge.cleanStops().get(deviceId)),
                  Optional.empty()));
      Optional<DeviceImage> image = image(readings, verdict);
      verdictOf(verdict);
      image.ifPresent(known -> compare(known, verdict));
      return judgement(image, verdict);
    }

    /** What the chosen state says; or the best that is left, to say something of it. */
    private Optional<DeviceImage> image(List<CopyReading> readings, CopyVerdict verdict) {
      if (!verdict.winners().isEmpty() && verdict.position().isPresent()) {
        return Optional.of(
            CopyChoice.holding(readings.get(verdict.winners().get(0)), verdict.position().get())
                .header());
      }
      return readings.stream()
          .flatMap(reading -> reading.areas().stream())
          .max(Comparator.comparing(AreaReading::tail))
          .map(AreaReading::header);
    }

    private void verdictOf(CopyVerdict verdict) {
      switch (verdict.decision()) {
        case USABLE -> {
          long current =
              verdict.findings().stream()
                  .filter(finding -> finding.standing() == CopyFinding.Standing.CURRENT)
                  .count();
          long damaged =
              verdict.findings().stream()
                  .filter(finding ->
                      finding.standing() != CopyFinding.Standing.CURRENT
                          && finding.standing() != CopyFinding.Standing.FORMER)
                  .count();
          evidence.add(
              new Evidence(
                  "copies",
                  damaged == 0 ? COPIES_POINTS : COPIES_DAMAGED_POINTS,
                  COPIES_POINTS,
                  current
                      + " copies agree at "
                      + verdict.position().orElse(Position.NONE)
                      + (damaged == 0 ? "" : ", " + damaged + " are damaged or missing")));
        }
        case NEEDS_PERSON, NOTHING -> doubts.addAll(verdict.reasons());
        case NEWER_FORMAT, CONTRADICTION -> contradictions.addAll(verdict.reasons());
      }
    }

    private void compare(DeviceImage image, CopyVerdict verdict) {
      spares(image);
      main(image);
      history(image, verdict);
    }

    private void spares(DeviceImage image) {
      boolean allThere = true;
      for (SpareMember spare : image.spares().values()) {
        List<DiskFinding> claimants = disks.spare(spare.spareId());
        if (claimants.size() > 1) {
          contradictions.add(
              "spare "
                  + spare.index()
                  + " is on "
                  + addresses(claimants)
                  + "; one is a copy of the other: take it away or wipe it");
        } else if (claimants.isEmpty() && spare.state().isNeeded()) {
          allThere = false;
          missingSpare(spare);
        } else if (claimants.size() == 1 && spare.state().isNeeded()) {
          otherHardware("spare " + spare.index(), spare.evidence(), claimants.get(0));
        }
      }
      if (allThere) {
        evidence.add(
            new Evidence(
                "spares",
                SPARES_POINTS,
                SPARES_POINTS,
                "every spare in service is there: " + addresses(spareDisks(image))));
      }
    }

    private void missingSpare(SpareMember spare) {
      // The verdict on the copies names a missing spare too, when it could be given.
      String sentence =
          "spare "
              + spare.index()
              + " ("
              + spare.spareId()
              + ", last seen as "
              + spare.evidence().identity().kernelName()
              + ") is not there";
      List<String> strangers =
          disks.called(spare.evidence().identity().kernelName()).stream()
              .map(disk ->
                  disk.notes().isEmpty()
                      ? disk.address() + " in its place is another disk"
                      : String.join("; ", disk.notes()))
              .toList();
      doubts.add(strangers.isEmpty() ? sentence : sentence + "; " + String.join("; ", strangers));
    }

    private void otherHardware(String role, DiskEvidence known, DiskFinding disk) {
      differs(role, disk, "serial number", known.identity().serial(), disk.identity().serial());
      differs(role, disk, "WWN", known.identity().wwn(), disk.identity().wwn());
      if (disk.geometry().sizeBytes() < known.sizeBytes()) {
        contradictions.add(
            role
                + " had "
                + known.sizeBytes()
                + " bytes, "
                + disk.address()
                + " has "
                + disk.geometry().sizeBytes());
      }
    }

    private void differs(
        String role, DiskFinding disk, String what, Optional<String> known, Optional<String> now) {
      if (known.isPresent() && now.isPresent() && !known.get().equals(now.get())) {
        contradictions.add(
            disk.address()
                + " says that it is "
                + role
                + " but has "
                + what
                + " "
                + now.get()
                + " instead of "
                + known.get()
                + "; it may be a copy");
      }
    }

    /** The spares in the order in which slots are taken from them. */
    private List<DiskFinding> spareDisks(DeviceImage image) {
      List<DiskFinding> found = new ArrayList<>();
      for (SpareMember spare : image.spares().values()) {
        if (spare.state().isNeeded()) {
          found.addAll(disks.spare(spare.spareId()));
        }
      }
      return found;
    }

    private void main(DeviceImage image) {
      List<MainMatch> matches =
          disks.resembling(image.main()).stream()
              .filter(disk -> disk.table().isEmpty())
              .map(disk -> MainMatch.of(image, disk))
              .toList();
      List<MainMatch> clear = matches.stream().filter(MainMatch::isClear).toList();
      List<MainMatch> labelled = matches.stream().filter(MainMatch::labelled).toList();
      if (clear.size() > 1 || labelled.size() > 1) {
        List<MainMatch> claimants = clear.size() > 1 ? clear : labelled;
        contradictions.add(
            "two disks may be its main disk: "
                + addresses(claimants.stream().map(MainMatch::disk).toList())
                + "; one is a copy of the other, or another path to it");
        return;
      }
      if (clear.size() == 1) {
        found(image, clear.get(0));
        return;
      }
      List<MainMatch> named = matches.stream().filter(MainMatch::named).toList();
      if (!named.isEmpty()) {
        named.forEach(match -> contradictions.addAll(match.contradictions()));
        return;
      }
      String sentence = "its main disk (" + words(image.main().evidence()) + ") is not there";
      List<String> strangers =
          matches.stream()
              .filter(MainMatch::samePlace)
              .map(match ->
                  match.contradictions().isEmpty()
                      ? match.disk().address()
                          + " stands in its place, and nothing shows that it is the same"
                      : String.join("; ", match.contradictions()))
              .toList();
      doubts.add(strangers.isEmpty() ? sentence : sentence + "; " + String.join("; ", strangers));
    }

    private void found(DeviceImage image, MainMatch match) {
      main = match.disk();
      int left = MainMatch.POINTS_MAX;
      for (Evidence one : match.evidence()) {
        int points = Math.min(left, one.points());
        left -= points;
        evidence.add(new Evidence(one.name(), points, one.of(), one.sentence()));
      }
      evidence.add(
          new Evidence(
              "size",
              SIZE_POINTS,
              SIZE_POINTS,
              "main has its " + image.main().evidence().sizeBytes() + " bytes"));
    }

    private void history(DeviceImage image, CopyVerdict verdict) {
      Position found = verdict.position().orElse(image.position());
      Remembered remembered = knowledge.remembered().get(deviceId);
      if (remembered != null && found.compareTo(remembered.position()) < 0) {
        contradictions.add(
            "this host has run it at "
                + remembered.position()
                + ", but what was found is older, at "
                + found
                + ": these spares were left behind");
      }
      image
          .owner()
          .filter(owner -> !owner.hostId().equals(knowledge.hostId()))
          .filter(owner -> image.cleanMark().isEmpty())
          .ifPresent(owner -> {
            if (image.epoch().isStart()) {
              contradictions.add(
                  "it belongs to host "
                      + owner.hostName()
                      + " since epoch "
                      + image.epoch()
                      + ", which has not stopped it; stop it there, or take it over by"
                      + " command when that host is certainly dead");
            } else {
              doubts.add(
                  "host "
                      + owner.hostName()
                      + " made it, and it has never been started: it is served nowhere; start it"
                      + " there, or here by command");
            }
          });
      boolean stoppedHere =
          Optional.ofNullable(knowledge.cleanStops().get(deviceId))
              .filter(stop -> stop.position().equals(found))
              .isPresent();
      if (stoppedHere) {
        evidence.add(
            new Evidence(
                "history",
                HISTORY_POINTS,
                HISTORY_POINTS,
                "it is as this host left it when it stopped it cleanly"));
      }
    }

    /**
     * The device that is being put together from these disks now: by its main disk, which no other
     * can have; or, while nothing can be read of it, by all the spares on which copies of it are.
     */
    private Optional<String> assembledAs(Optional<DeviceImage> image) {
      DiskFinding foundMain = main;
      if (foundMain != null) {
        return Optional.ofNullable(knowledge.assembling().get(foundMain.address()));
      }
      if (image.isPresent()) {
        return Optional.empty();
      }
      Set<String> names = new TreeSet<>();
      for (DiskFinding disk : disks.withCopiesOf(deviceId)) {
        names.add(knowledge.assembling().getOrDefault(disk.address(), ""));
      }
      return names.size() == 1
          ? names.stream().filter(n -> !n.isEmpty()).findFirst()
          : Optional.empty();
    }

    private Judgement judgement(Optional<DeviceImage> image, CopyVerdict verdict) {
      int score = Math.min(Judgement.SCORE_MAX, evidence.stream().mapToInt(Evidence::points).sum());
      Optional<SetUp> setUp = Optional.empty();
      DiskFinding foundMain = main;
      if (image.isPresent() && foundMain != null) {
        setUp =
            Optional.of(
                new SetUp(
                    deviceId,
                    image.get().name(),
                    verdict.position().orElse(image.get().position()),
                    foundMain.address(),
                    spareDisks(image.get()).stream().map(DiskFinding::address).toList(),
                    image.get().form() == Form.ADOPT
                        ? foundMain
                            .identity()
                            .serial()
                            .map(serial ->
                                new AdoptedDisk(serial, foundMain.identity().kernelName()))
                        : Optional.empty()));
      }
      Decision decision;
      Optional<String> assembledAs = assembledAs(image);
      if (knowledge.active().contains(deviceId)) {
        decision = Decision.ALREADY_ACTIVE;
      } else if (assembledAs.isPresent()) {
        decision = Decision.BEING_ASSEMBLED;
      } else if (!contradictions.isEmpty()) {
        decision = Decision.FORBIDDEN;
      } else if (!doubts.isEmpty() || setUp.isEmpty() || score < knowledge.threshold()) {
        decision = Decision.WAIT;
        if (doubts.isEmpty()) {
          doubts.add("the confidence is below " + knowledge.threshold());
        }
      } else {
        decision = Decision.ACTIVATE;
      }
      return new Judgement(
          deviceId,
          image.map(DeviceImage::name).or(() -> assembledAs).orElse("unknown"),
          decision,
          score,
          evidence,
          contradictions,
          doubts,
          setUp);
    }
  }

  private static String words(DiskEvidence known) {
    return known.identity().kernelName()
        + known.identity().serial().map(serial -> ", serial number " + serial).orElse("")
        + ", "
        + known.sizeBytes()
        + " bytes";
  }

  private static String addresses(List<DiskFinding> found) {
    return found.stream().map(disk -> disk.address().toString()).collect(Collectors.joining(", "));
  }
}

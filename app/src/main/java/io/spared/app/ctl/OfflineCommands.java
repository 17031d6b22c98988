package io.spared.app.ctl;

import io.spared.app.config.Addresses;
import io.spared.app.files.HostIdentity;
import io.spared.app.offline.Corruption;
import io.spared.app.offline.Creation;
import io.spared.app.offline.DmRemapImport;
import io.spared.app.offline.Leaving;
import io.spared.app.offline.Mending;
import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.app.offline.Reports;
import io.spared.app.offline.Survey;
import io.spared.ffi.disk.ByteSize;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.format.CopyConsent;
import io.spared.format.DeviceImage;
import io.spared.format.Form;
import io.spared.format.Position;
import io.spared.format.SpareMember;
import io.spared.remap.Explanation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the client does on disks by itself, while no daemon uses them. Kept apart from the commands
 * that speak to the daemon, so that those load none of it.
 */
final class OfflineCommands {
  private final PrintWriter out;
  private final boolean json;

  /** For JSON, what would have been said line by line. */
  private final List<String> said = new ArrayList<>();

  OfflineCommands(PrintWriter out, boolean json) {
    this.out = out;
    this.json = json;
  }

  int create(
      String name,
      String main,
      List<String> spares,
      boolean labelled,
      @Nullable String selfSpare,
      int blockKiB,
      int copies,
      boolean force)
      throws CtlException {
    return with(disks -> {
      Creation.Made made =
          new Creation(
                  disks,
                  new Creation.Request(
                      name,
                      main,
                      selfSpare == null ? spares : List.of(tail(main, selfSpare)),
                      selfSpare != null ? Form.SELF_SPARE : labelled ? Form.LABELLED : Form.ADOPT,
                      blockKiB * 1024,
                      copies,
                      force,
                      HostIdentity.owner(Path.of("/var/lib/spared"))))
              .make();
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("device", made.deviceId().toString());
      answer.put("done", made.sentence());
      print(answer, made.sentence());
      return Ctl.DONE;
    });
  }

  private static String tail(String main, String size) throws OfflineException {
    try {
      return DiskAddress.tailOf(Addresses.parse(main), ByteSize.parse(size)).toString();
    } catch (IllegalArgumentException wrong) {
      throw new OfflineException(String.valueOf(wrong.getMessage()));
    }
  }

  int inspect(List<String> texts) throws CtlException {
    return with(disks -> {
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.READ, Optional.empty(), false);
      Map<String, Object> report = Reports.survey(survey);
      print(report, Reports.text(report).stripTrailing());
      return Ctl.DONE;
    });
  }

  int dump(List<String> texts) throws CtlException {
    return with(disks -> {
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.READ, Optional.empty(), false);
      Map<String, Object> all = new LinkedHashMap<>();
      for (DeviceImage image : survey.all()) {
        all.put(image.name(), Reports.remaps(image));
      }
      print(all, Reports.dump(all));
      return Ctl.DONE;
    });
  }

  int explain(String spare, List<String> more, @Nullable String device, long sector)
      throws CtlException {
    return with(disks -> {
      List<String> texts = new ArrayList<>(List.of(spare));
      texts.addAll(more);
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.READ, Optional.empty(), false);
      DeviceImage image = survey.one(device);
      Optional<String> refusal = Explanation.refusal(image, sector);
      if (refusal.isPresent()) {
        throw new OfflineException(refusal.get());
      }
      String sentence =
          Explanation.of(
              image,
              sector,
              Explanation.lookUp(image.entries(), Explanation.blockOf(image, sector)));
      print(Map.of("device", image.name(), "explanation", sentence), sentence);
      return Ctl.DONE;
    });
  }

  int check(List<String> texts) throws CtlException {
    return with(disks -> {
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.READ, Optional.empty(), true);
      Reports.Check check = Reports.check(survey);
      print(check.values(), check.text());
      return check.code();
    });
  }

  int repair(List<String> texts, boolean yes, @Nullable Path keep, boolean acceptLoss)
      throws CtlException {
    return with(disks -> {
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.OWN, Optional.empty(), true);
      if (survey.devices().isEmpty()) {
        throw new OfflineException("no device is found on these disks; name the spare");
      }
      int worst = Reports.HEALTHY;
      Map<String, Object> answer = new LinkedHashMap<>();
      for (Survey.Found found : survey.devices().values()) {
        int code = repairOne(disks, survey, found, yes, keep, acceptLoss);
        worst = Math.max(worst, code);
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("code", code);
        one.put("said", takeSaid());
        answer.put(found.deviceId().toString(), one);
      }
      answer(answer);
      return worst;
    });
  }

  private int repairOne(
      OfflineDisks disks,
      Survey survey,
      Survey.Found first,
      boolean yes,
      @Nullable Path keep,
      boolean acceptLoss)
      throws OfflineException, IOException {
    Survey.Found found = first;
    int code = Reports.code(found.verdict());
    say(found.deviceId() + ": " + String.join("; ", found.verdict().reasons()));
    if (code == Reports.DAMAGED) {
      Optional<Position> survivor = found.verdict().position();
      if (survivor.isEmpty() || !acceptLoss) {
        say(
            "fewer copies survive than it takes to know the newest"
                + survivor.map(position -> "; the best is " + position).orElse("")
                + ": every remap committed after it would be missing, and its block would read as"
                + " it stood on main before; with --accept-loss repair goes on with it");
        return code;
      }
      found = survey.again(found, new CopyConsent(survivor.get(), Set.of()));
      code = Reports.code(found.verdict());
    }
    if (code == Reports.UNUSABLE || found.image().isEmpty()) {
      say("nothing can be repaired from these copies");
      return Reports.UNUSABLE;
    }
    Mending.Plan plan = Mending.plan(survey, Optional.of(found));
    if (plan.isEmpty()) {
      plan.sentences().forEach(this::say);
      say("nothing needs repair");
      return plan.sentences().isEmpty() ? Reports.HEALTHY : Reports.REPAIRABLE;
    }
    plan.sentences().forEach(this::say);
    Path file =
        keep == null
            ? Path.of(
                "spared-kept-"
                    + found.deviceId().toString().substring(0, 8)
                    + "-"
                    + disks.world().clock().now().getEpochSecond())
            : keep;
    if (!yes && !agreed("what stands there now is kept in " + file + "; go on? [y/N] ")) {
      say("nothing was written");
      return Reports.REPAIRABLE;
    }
    Mending.carryOut(survey, Optional.of(found), plan, file, disks.world());
    say("repaired; what stood there before is in " + file);
    return Reports.REPAIRABLE;
  }

  private boolean agreed(String question) {
    Optional<java.io.Console> terminal =
        Optional.ofNullable(System.console()).filter(java.io.Console::isTerminal);
    if (json || terminal.isEmpty()) {
      say("there is nobody to ask; use --yes");
      return false;
    }
    out.flush();
    String answer = terminal.get().readLine("%s", question);
    return answer != null && answer.strip().equalsIgnoreCase("y");
  }

  int corrupt(
      List<String> texts,
      List<Integer> copies,
      List<Long> sectors,
      long count,
      double percent,
      boolean yes)
      throws CtlException {
    return with(disks -> {
      Survey survey = Survey.of(disks, texts, DiskOpener.Mode.OWN, Optional.empty(), false);
      for (Survey.Spare spare : survey.spares().values()) {
        if (!yes && !isFile(spare.disk().disk().address())) {
          throw new OfflineException(
              spare.disk().disk().address()
                  + ": is not a file; a real disk is damaged only with --yes");
        }
      }
      List<String> done = new ArrayList<>();
      if (!copies.isEmpty()) {
        for (Survey.Found found : survey.devices().values()) {
          if (found.image().isPresent()) {
            done.addAll(Corruption.copies(survey, found.image().get(), copies, disks.world()));
          }
        }
      }
      for (Survey.Spare spare : survey.spares().values()) {
        List<Long> chosen = new ArrayList<>(sectors);
        long many = count + Math.round(spare.disk().sizeBytes() / 4096.0 * percent / 100);
        chosen.addAll(Corruption.choose(spare.disk(), many, disks.world()));
        done.addAll(Corruption.units(spare.disk(), chosen, disks.world()));
      }
      if (done.isEmpty()) {
        throw new OfflineException(
            "nothing to damage: name --copies, --sectors, --count or --percent");
      }
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("done", done);
      print(answer, String.join("\n", done));
      return Ctl.DONE;
    });
  }

  private static boolean isFile(DiskAddress address) {
    return switch (address) {
      case DiskAddress.OfPath path -> java.nio.file.Files.isRegularFile(path.path());
      case DiskAddress.OfTail tail -> isFile(tail.whole());
      case DiskAddress.OfMemory memory -> true;
      case DiskAddress.OfFault fault -> isFile(fault.inner());
      case DiskAddress.OfNbd nbd -> false;
    };
  }

  int export(String main, List<String> spareTexts, String format, boolean force)
      throws CtlException {
    if (!format.equals("dmsetup")) {
      throw new CtlException(Ctl.USAGE, format + ": the only format is dmsetup");
    }
    return with(disks -> {
      Survey survey = Survey.of(disks, spareTexts, DiskOpener.Mode.READ, Optional.empty(), false);
      OfflineDisk mainDisk = disks.open(main, DiskOpener.Mode.READ);
      DeviceImage image = survey.deviceOf(mainDisk, force);
      Map<Integer, Leaving.SparePath> paths = new HashMap<>();
      for (SpareMember spare : image.spares().values()) {
        survey
            .spare(spare.spareId())
            .ifPresent(
                disk -> paths.put(spare.index(), Leaving.SparePath.of(disk, mainDisk.sizeBytes())));
      }
      List<String> lines = Leaving.dmsetup(image, mainDisk.disk().address().toString(), paths);
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("table", lines);
      print(answer, String.join("\n", lines));
      return Ctl.DONE;
    });
  }

  int importDmRemap(
      String name, String main, String spare, int blockKiB, boolean yes, @Nullable Path keep)
      throws CtlException {
    return with(disks -> {
      if (!yes) {
        DmRemapImport.Judged judged = DmRemapImport.judge(disks, main, spare, blockKiB * 1024);
        judge(judged);
        say("nothing was written; with --yes it is done");
        answer(Map.of("done", false, "said", takeSaid()));
        return Ctl.DONE;
      }
      Path file =
          keep == null
              ? Path.of("spared-kept-dm-remap-" + disks.world().clock().now().getEpochSecond())
              : keep;
      Creation.Made made =
          DmRemapImport.carryOut(
              disks,
              new Creation.Request(
                  name,
                  main,
                  List.of(spare),
                  Form.ADOPT,
                  blockKiB * 1024,
                  5,
                  true,
                  HostIdentity.owner(Path.of("/var/lib/spared"))),
              file,
              this::judge);
      say(made.sentence());
      say(
          made.image().entries().remapCount()
              + " blocks were taken over; what stood on the spare before is in "
              + file);
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("done", true);
      answer.put("device", made.deviceId().toString());
      answer.put("blocks", made.image().entries().remapCount());
      answer.put("kept", file.toString());
      answer.put("said", takeSaid());
      answer(answer);
      return Ctl.DONE;
    });
  }

  private void judge(DmRemapImport.Judged judged) {
    say(
        judged.copies().size()
            + " copies of dm-remap's metadata; the best is of format "
            + judged.plan().best().format()
            + " at byte "
            + judged.plan().best().offsetBytes()
            + ", sequence "
            + judged.plan().best().sequence()
            + ", "
            + judged.plan().best().entries().size()
            + " remaps");
    judged.plan().remarks().forEach(this::say);
    say(judged.plan().blocks().size() + " blocks would move to the new device's slots");
    judged
        .plan()
        .quarantined()
        .forEach(line -> say("quarantined, reads as an error until written: " + line));
  }

  /** Something that is done with disks open. */
  private interface Work {
    int run(OfflineDisks disks) throws OfflineException, IOException;
  }

  private static int with(Work work) throws CtlException {
    try (OfflineDisks disks = new OfflineDisks()) {
      return work.run(disks);
    } catch (OfflineException refused) {
      throw new CtlException(Ctl.REFUSED, String.valueOf(refused.getMessage()));
    } catch (IOException failed) {
      throw new CtlException(Ctl.REFUSED, String.valueOf(failed.getMessage()));
    }
  }

  private void print(Map<String, Object> values, String text) {
    out.println(json ? Json.object(values) : text);
  }

  /** At once for people; for JSON with the answer ({@link #takeSaid}). */
  private void say(String line) {
    if (json) {
      said.add(line);
    } else {
      out.println(line);
    }
  }

  private List<String> takeSaid() {
    List<String> taken = List.copyOf(said);
    said.clear();
    return taken;
  }

  /** For JSON alone: people were told already. */
  private void answer(Map<String, Object> values) {
    if (json) {
      out.println(Json.object(values));
    }
  }
}

package io.spared.app.ctl;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The commands that speak to the daemon, and below them those that work without one. */
@Command(
    name = "spared ctl",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    addMethodSubcommands = false, // Ctl adds those that are meant.
    sortOptions = false,
    description = "Looks after devices: with the daemon, and on disks while no daemon runs.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:refused or failed, with one sentence",
      "2:the command line is wrong",
      "3:no daemon answers",
      "4:no such device",
      "5:nobody knows yet whether it was done; see the device's status",
      "check has codes of its own: 0 healthy, 1 repairable or repaired, 2 damaged, 3 unusable"
    })
final class CtlCommands {
  @Spec CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--socket",
      scope = ScopeType.INHERIT,
      description = "the daemon's control socket (default /run/spared/control.sock)")
  Path socket = defaultSocket();

  @Option(names = "--json", scope = ScopeType.INHERIT, description = "answer in JSON")
  boolean json;

  private static Path defaultSocket() {
    String named = System.getenv("SPARED_SOCKET");
    return Path.of(named == null ? "/run/spared/control.sock" : named);
  }

  @Command(description = "All devices, worst first, or one in full.")
  int status(
      @Parameters(arity = "0..1", paramLabel = "NAME", description = "a device")
          @Nullable String name)
      throws CtlException {
    return show("GET", name == null ? "/v1/devices" : device(name), "");
  }

  @Command(description = "The names of all devices, one a line.")
  int list() throws CtlException {
    return show("GET", "/v1/devices?view=names", "");
  }

  @Command(description = "What happened, the newest last; with --follow as it happens.")
  int events(
      @Option(names = "--follow", description = "go on until interrupted") boolean follow,
      @Option(names = "--last", defaultValue = "50", description = "how many (default 50)")
          int last)
      throws CtlException {
    if (!follow) {
      return show("GET", "/v1/events?last=" + last, "");
    }
    try {
      return code(
          new ControlClient(socket)
              .stream(
                  "GET",
                  "/v1/events?follow=true&last=" + last,
                  "text/event-stream",
                  "",
                  this::printEvent));
    } catch (IOException noDaemon) {
      throw noDaemon(noDaemon);
    }
  }

  @Command(
      description =
          "Starts a stopped device; with --main and --spare, adds a device that the configuration"
              + " does not name.")
  int start(
      @Parameters(paramLabel = "NAME") String name,
      @Option(names = "--main", paramLabel = "DISK", description = "its main disk")
          @Nullable String main,
      @Option(names = "--spare", paramLabel = "DISK", description = "one of its spares")
          @Nullable List<String> spares,
      @Option(
              names = "--frontend",
              paramLabel = "nbd|ublk|none",
              defaultValue = "nbd",
              description = "how it is served (default nbd)")
          String frontend,
      @Option(names = "--read-only", description = "programs cannot write to it") boolean readOnly,
      @Option(names = "--number", paramLabel = "N", description = "of /dev/ublkbN")
          @Nullable Integer number,
      @Option(names = "--queues", paramLabel = "N", description = "of the block device")
          @Nullable Integer queues,
      @Option(names = "--depth", paramLabel = "N", description = "requests in each of its queues")
          @Nullable Integer depth,
      @Option(
              names = "--take-over",
              description =
                  "although another host owns it and has not stopped it: that host must be dead,"
                      + " or both write")
          boolean takeOver,
      @Option(
              names = "--without-spare",
              split = ",",
              paramLabel = "N",
              description =
                  "gives up a spare that never comes back; refused with what is lost with it,"
                      + " unless that is accepted")
          @Nullable List<String> without,
      @Option(
              names = "--accept-loss",
              paramLabel = "BLOCKS",
              description = "with --without-spare: how many blocks are lost, as the refusal said")
          @Nullable Long acceptLoss)
      throws CtlException {
    if (acceptLoss != null && (without == null || acceptLoss < 0)) {
      throw new CtlException(
          Ctl.USAGE, "--accept-loss BLOCKS goes with --without-spare, and is not negative");
    }
    if (main == null) {
      Map<String, Object> body = new LinkedHashMap<>();
      body.put("takeOver", takeOver);
      if (without != null) {
        body.put("withoutSpares", numbers(without));
        putIfGiven(body, "acceptLoss", acceptLoss);
      }
      return show("POST", device(name) + "/start", Json.object(body));
    }
    if (takeOver || without != null) {
      String option = takeOver ? "--take-over" : "--without-spare";
      throw new CtlException(
          Ctl.REFUSED,
          option
              + " is for a device that the daemon knows; start it with --main and --spare,"
              + " see why it is refused, then spared ctl start "
              + name
              + " "
              + option
              + (takeOver ? "" : " " + String.join(",", without)));
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("name", name);
    body.put("main", main);
    body.put("spares", spares == null ? List.of() : spares);
    body.put("frontend", frontend);
    if (readOnly) {
      body.put("readOnly", true);
    }
    putIfGiven(body, "number", number);
    putIfGiven(body, "queues", queues);
    putIfGiven(body, "depth", depth);
    return show("POST", "/v1/devices", Json.object(body));
  }

  private static List<Integer> numbers(List<String> spares) throws CtlException {
    List<Integer> numbers = new ArrayList<>();
    for (String spare : spares) {
      numbers.add(number(spare));
    }
    return numbers;
  }

  /** A spare's, as status shows it: 0 or spare-0. */
  private static int number(String spare) throws CtlException {
    String number = spare.startsWith("spare-") ? spare.substring("spare-".length()) : spare;
    if (!number.matches("[0-9]{1,2}")) {
      throw new CtlException(
          Ctl.USAGE, spare + ": name a spare by its number, such as 0 or spare-0");
    }
    return Integer.parseInt(number);
  }

  private static void putIfGiven(Map<String, Object> body, String name, @Nullable Number value) {
    if (value != null) {
      body.put(name, value);
    }
  }

  @Command(description = "Stops a device; refused while it is used, unless --force.")
  int stop(
      @Parameters(paramLabel = "NAME") String name,
      @Option(names = "--force", description = "fail what its users still do") boolean force)
      throws CtlException {
    return show("POST", device(name) + "/stop", Json.object(Map.of("force", force)));
  }

  @Command(description = "Stops a device and forgets it until it is started again.")
  int remove(
      @Parameters(paramLabel = "NAME") String name,
      @Option(names = "--force", description = "fail what its users still do") boolean force)
      throws CtlException {
    return show("DELETE", device(name) + (force ? "?force=true" : ""), "");
  }

  @Command(description = "Pauses a device: nothing in flight, everything flushed.")
  int freeze(@Parameters(paramLabel = "NAME") String name) throws CtlException {
    return show("POST", device(name) + "/freeze", "{}");
  }

  @Command(description = "Lets a frozen device go on.")
  int thaw(@Parameters(paramLabel = "NAME") String name) throws CtlException {
    return show("POST", device(name) + "/thaw", "{}");
  }

  @Command(description = "Looks for damage now: of the metadata, or of the surface of main.")
  int scrub(
      @Parameters(paramLabel = "NAME") String name,
      @Option(names = "--surface", description = "read all of main and of the used slots")
          boolean surface)
      throws CtlException {
    return show("POST", device(name) + "/scrub", Json.object(Map.of("surface", surface)));
  }

  @Command(description = "Changes a policy of a device, such as auto-repair=off.")
  int set(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(paramLabel = "SETTING=VALUE") String setting)
      throws CtlException {
    int equals = setting.indexOf('=');
    if (equals <= 0 || equals == setting.length() - 1) {
      throw new CtlException(
          Ctl.USAGE, setting + ": write SETTING=VALUE, such as scrub-interval=2h");
    }
    return show(
        "PUT",
        device(name) + "/policy/" + encode(setting.substring(0, equals)),
        Json.object(Map.of("value", setting.substring(equals + 1))));
  }

  @Command(
      description = {
        "Injects a fault into a disk of a device; only for disks named with fault: in front.",
        "For example: write fail=EIO range=1M+4K; read hang; any delay=200ms rate=0.1;",
        "read until-written=ENODATA range=8K+4K; clear; release; list"
      })
  int fault(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(paramLabel = "DISK", description = "main, spare-0, spare-1, ...") String disk,
      @Parameters(
              paramLabel = "WORDS",
              arity = "1..*",
              description = "operations, then what happens, then where and how often")
          List<String> words)
      throws CtlException {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("disk", disk);
    body.put("rule", String.join(" ", words));
    return show("POST", device(name) + "/faults", Json.object(body));
  }

  @Command(
      name = "add-spare",
      description = "Gives a running device a further spare; the disk must be empty, or a spare.")
  int addSpare(
      @Parameters(paramLabel = "NAME") String name, @Parameters(paramLabel = "DISK") String disk)
      throws CtlException {
    return show("POST", device(name) + "/spares", Json.object(Map.of("disk", disk)));
  }

  @Command(
      description = {
        "Moves all that a device has on a spare to its other spares; then the spare leaves it.",
        "It goes on by itself, also after a restart; spared ctl status NAME says how far it is."
      })
  int evacuate(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(paramLabel = "SPARE", description = "its number, or spare-0, spare-1, ...")
          String spare,
      @Option(names = "--cancel", description = "do not leave it after all") boolean cancel,
      @Option(
              names = "--give-up",
              description = "for a spare that does not come back: what it does not give is lost")
          boolean giveUp)
      throws CtlException {
    if (cancel && giveUp) {
      throw new CtlException(Ctl.USAGE, "--cancel and --give-up do not go together");
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("spare", number(spare));
    body.put("cancel", cancel);
    body.put("giveUp", giveUp);
    return show("POST", device(name) + "/evacuate", Json.object(body));
  }

  @Command(
      description = {
        "Changes the form of a running device's set-up.",
        "labelled: main gets a label behind the device, where there must be room for it.",
        "adopt: the label goes. The self-spare form is left by giving the device another spare first."
      })
  int convert(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(paramLabel = "adopt|labelled") String form)
      throws CtlException {
    return show("POST", device(name) + "/convert", Json.object(Map.of("form", form)));
  }

  @Command(
      description = {
        "Another disk, which must be empty, takes the place of main or of a spare while the device"
            + " serves.",
        "main: is copied to it; what cannot be read moves to a spare, and is lost where it stays"
            + " unreadable. status shows how far it is, --cancel gives it up.",
        "spare-N: the new one is added and the old one is evacuated; see evacuate --cancel."
      })
  int replace(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(arity = "0..1", paramLabel = "main|spare-N", description = "what is replaced")
          @Nullable String which,
      @Parameters(arity = "0..1", paramLabel = "NEWDISK") @Nullable String disk,
      @Option(
              names = "--rate",
              paramLabel = "BYTES",
              description = "the most that is copied in a second, such as 50M (default 200M)")
          @Nullable String rate,
      @Option(names = "--cancel", description = "keep the disk that it has") boolean cancel)
      throws CtlException {
    if (cancel) {
      return show("POST", device(name) + "/cancel-replace", "{}");
    }
    if (which == null || disk == null) {
      throw new CtlException(
          Ctl.USAGE,
          "write replace NAME main NEWDISK, replace NAME spare-0 NEWDISK, or replace NAME --cancel");
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("which", which);
    body.put("disk", disk);
    body.put("rate", rate == null ? "0" : rate);
    return show("POST", device(name) + "/replace", Json.object(body));
  }

  @Command(description = "Looks at all disks for set-ups, and starts what is certain.")
  int discover(
      @Option(names = "--dry-run", description = "decide and show, and start nothing")
          boolean dryRun,
      @Option(names = "--last", description = "the last scan, without looking again") boolean last)
      throws CtlException {
    return last
        ? show("GET", "/v1/discovery", "")
        : show("POST", "/v1/discovery", "{\"activate\": " + !dryRun + "}");
  }

  @Command(
      name = "auto-activate",
      description = "Switches automatic activation of certain set-ups on or off, and remembers it.")
  int autoActivate(@Parameters(paramLabel = "on|off") String value) throws CtlException {
    return show("PUT", "/v1/discovery/automatic", Json.object(Map.of("value", value)));
  }

  @Command(description = "Reads the configuration again and applies what can be applied.")
  int reload() throws CtlException {
    return show("POST", "/v1/reload", "{}");
  }

  @Command(description = "The daemon's threads, and which have the I/O-flusher flag.")
  int threads() throws CtlException {
    return show("GET", "/v1/threads", "");
  }

  @Command(
      name = "hand-over",
      description = {
        "Ends the daemon and leaves its block devices waiting for the next one: for upgrades.",
        "Programs that use them see a pause until that is started."
      })
  int handOver() throws CtlException {
    return show("POST", "/v1/hand-over", "{}");
  }

  // Without a daemon.

  @Command(
      description = {
        "Makes a device. The adopt form (default) leaves every byte of main as it is.",
        "With --labelled, main gets a label at its end, which must be free.",
        "With --self-spare SIZE, the tail of main, which must be free, becomes its spare."
      })
  int create(
      @Parameters(paramLabel = "NAME", description = "what it is to be called") String name,
      @Option(
              names = "--main",
              required = true,
              paramLabel = "DISK",
              description = "the disk with the data")
          String main,
      @Option(
              names = "--spare",
              paramLabel = "DISK",
              description = "where bad blocks move to; several may be named")
          @Nullable List<String> spares,
      @Option(names = "--labelled", description = "main names itself, at its end") boolean labelled,
      @Option(names = "--self-spare", paramLabel = "SIZE", description = "such as 64M")
          @Nullable String selfSpare,
      @Option(
              names = "--block",
              defaultValue = "4",
              paramLabel = "KIB",
              description = "what moves as one, 4 to 64 (default 4)")
          int blockKiB,
      @Option(
              names = "--copies",
              defaultValue = "5",
              paramLabel = "N",
              description = "of the metadata: 3, 5, 7 or 9 (default 5)")
          int copies,
      @Option(names = "--force", description = "write over what is recognised") boolean force)
      throws CtlException {
    List<String> all = spares == null ? List.of() : spares;
    if (all.isEmpty() == (selfSpare == null) || (labelled && selfSpare != null)) {
      throw new CtlException(Ctl.USAGE, "a device needs either --spare DISK or --self-spare SIZE");
    }
    return offline().create(name, main, all, labelled, selfSpare, blockKiB, copies, force);
  }

  @Command(description = "Shows what stands on disks: every copy, its verdict, the table.")
  int inspect(@Parameters(arity = "1..*", paramLabel = "DISK") List<String> disks)
      throws CtlException {
    return offline().inspect(disks);
  }

  @Command(description = "Lists every remapped and pending block.")
  int dump(@Parameters(arity = "1..*", paramLabel = "DISK") List<String> disks)
      throws CtlException {
    return offline().dump(disks);
  }

  @Command(
      description = "Judges disks without writing: 0 healthy, 1 repairable, 2 damaged, 3 unusable.")
  int check(@Parameters(arity = "1..*", paramLabel = "DISK") List<String> disks)
      throws CtlException {
    return offline().check(disks);
  }

  @Command(
      description = {
        "Mends the copies of a running device by its NAME, or of disks while no daemon uses them.",
        "What stood there is kept in a file."
      })
  int repair(
      @Parameters(arity = "1..*", paramLabel = "NAME|DISK") List<String> targets,
      @Option(names = "--yes", description = "do not ask") boolean yes,
      @Option(names = "--keep", paramLabel = "FILE", description = "where to keep the old bytes")
          @Nullable Path keep,
      @Option(
              names = "--accept-loss",
              description = "go on with the best survivor where no majority of the copies is left")
          boolean acceptLoss)
      throws CtlException {
    if (targets.size() == 1 && !isDisk(targets.get(0))) {
      return showNamed(targets.get(0), "/repair", "{}");
    }
    return offline().repair(targets, yes, keep, acceptLoss);
  }

  @Command(description = "Damages test disks, so that repair can be seen at work.")
  int corrupt(
      @Parameters(arity = "1..*", paramLabel = "DISK") List<String> disks,
      @Option(names = "--copies", split = ",", paramLabel = "N,N") @Nullable List<Integer> copies,
      @Option(names = "--sectors", split = ",", paramLabel = "N,N", description = "of 4 KiB")
          @Nullable List<Long> sectors,
      @Option(names = "--count", defaultValue = "0") long count,
      @Option(names = "--percent", defaultValue = "0") double percent,
      @Option(names = "--yes", description = "also real disks") boolean yes)
      throws CtlException {
    return offline()
        .corrupt(
            disks,
            copies == null ? List.of() : copies,
            sectors == null ? List.of() : sectors,
            count,
            percent,
            yes);
  }

  @Command(description = "Writes a device-mapper table that serves the device without spared.")
  int export(
      @Option(names = "--main", required = true, paramLabel = "DISK") String main,
      @Option(names = "--spare", required = true, paramLabel = "DISK") List<String> spares,
      @Option(names = "--format", defaultValue = "dmsetup") String format,
      @Option(names = "--force", description = "though only its size speaks for the main disk")
          boolean force)
      throws CtlException {
    return offline().export(main, spares, format, force);
  }

  @Command(
      name = "import",
      description = "Takes over a dm-remap pair; shows what would be done unless --yes.")
  int importOther(
      @Parameters(paramLabel = "dm-remap") String kind,
      @Parameters(paramLabel = "MAIN") String main,
      @Parameters(paramLabel = "SPARE") String spare,
      @Option(names = "--name", defaultValue = "imported") String name,
      @Option(names = "--block", defaultValue = "4", paramLabel = "KIB") int blockKiB,
      @Option(names = "--yes", description = "do it") boolean yes,
      @Option(names = "--keep", paramLabel = "FILE") @Nullable Path keep)
      throws CtlException {
    if (!kind.equals("dm-remap")) {
      throw new CtlException(Ctl.USAGE, kind + ": only dm-remap can be imported");
    }
    return offline().importDmRemap(name, main, spare, blockKiB, yes, keep);
  }

  @Command(
      description = {
        "Where a sector lives, and its history: of a running device by its NAME, or by a spare's",
        "DISK while no daemon uses it."
      })
  int explain(
      @Parameters(paramLabel = "NAME|DISK") String name,
      @Parameters(paramLabel = "SECTOR", description = "its number, from 0") long sector,
      @Option(names = "--spare", paramLabel = "DISK", description = "a further spare")
          @Nullable List<String> spares,
      @Option(names = "--device", paramLabel = "NAME", description = "where a spare serves several")
          @Nullable String device)
      throws CtlException {
    if (isDisk(name)) {
      return offline().explain(name, spares == null ? List.of() : spares, device, sector);
    }
    return showNamed(name, "/explain", Json.object(Map.of("sector", sector)));
  }

  /** Names of devices have neither; addresses of disks have one. */
  private static boolean isDisk(String target) {
    return target.contains("/") || target.contains(":");
  }

  /** Asks the daemon; who meant a file and finds no daemon is told how a file is named. */
  private int showNamed(String name, String path, String body) throws CtlException {
    try {
      return show("POST", device(name) + path, body);
    } catch (CtlException refused) {
      throw refused.exitCode() == Ctl.NO_DAEMON && Files.exists(Path.of(name))
          ? new CtlException(
              Ctl.NO_DAEMON, refused.getMessage() + "; for the disk " + name + " write ./" + name)
          : refused;
    }
  }

  private OfflineCommands offline() {
    return new OfflineCommands(spec.commandLine().getOut(), json);
  }

  /** Sends one request and prints its answer where it belongs. */
  int show(String method, String path, String body) throws CtlException {
    try {
      ControlClient.Reply reply = new ControlClient(socket).call(method, path, json, body);
      String text = reply.body().stripTrailing();
      if (reply.succeeded()) {
        if (!text.isEmpty()) {
          spec.commandLine().getOut().println(text);
        }
      } else {
        spec.commandLine().getErr().println(text);
      }
      return code(reply.status());
    } catch (IOException noDaemon) {
      throw noDaemon(noDaemon);
    }
  }

  private void printEvent(String piece) {
    for (String line : piece.split("\n", -1)) {
      if (line.startsWith("data:")) {
        spec.commandLine().getOut().println(line.substring("data:".length()).strip());
      }
    }
    spec.commandLine().getOut().flush();
  }

  private CtlException noDaemon(IOException failure) {
    return new CtlException(
        Ctl.NO_DAEMON,
        socket
            + ": no daemon answers here ("
            + failure.getMessage()
            + "); start it with spared daemon, or name its socket with --socket");
  }

  private static int code(int status) {
    if (status >= 200 && status < 300) {
      return Ctl.DONE;
    }
    return switch (status) {
      case 404 -> Ctl.NO_SUCH_DEVICE;
      case 504 -> Ctl.IN_DOUBT;
      default -> Ctl.REFUSED;
    };
  }

  private static String device(String name) {
    return "/v1/devices/" + encode(name);
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}

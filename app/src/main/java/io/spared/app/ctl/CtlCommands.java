package io.spared.app.ctl;

import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
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
    sortOptions = false,
    description = "Looks after devices: with the daemon, and on disks while no daemon runs.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:refused or failed, with one sentence",
      "2:the command line is wrong",
      "3:no daemon answers",
      "4:no such device",
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
      @Option(names = "--main", paramLabel = "DISK") @Nullable String main,
      @Option(names = "--spare", paramLabel = "DISK") @Nullable List<String> spares,
      @Option(names = "--frontend", paramLabel = "nbd|ublk|none", defaultValue = "nbd")
          String frontend)
      throws CtlException {
    if (main == null) {
      return show("POST", device(name) + "/start", "{}");
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("name", name);
    body.put("main", main);
    body.put("spares", spares == null ? List.of() : spares);
    body.put("frontend", frontend);
    return show("POST", "/v1/devices", Json.object(body));
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
    if (equals <= 0) {
      throw new CtlException(Ctl.USAGE, setting + ": write SETTING=VALUE");
    }
    return show(
        "PUT",
        device(name) + "/policy/" + encode(setting.substring(0, equals)),
        Json.object(Map.of("value", setting.substring(equals + 1))));
  }

  @Command(
      description = {
        "Injects a fault into a disk of a device; only for disks named with fault: in front.",
        "Ranges are OFFSET+LENGTH in bytes or with KiB, MiB, GiB."
      })
  int fault(
      @Parameters(paramLabel = "NAME") String name,
      @Parameters(paramLabel = "DISK", description = "main, spare-0, spare-1, ...") String disk,
      @Parameters(
              paramLabel = "RULE",
              arity = "1",
              description =
                  "fail-reads | fail-writes | fail | hang | delay=MILLIS | torn-writes |"
                      + " lost-writes | clear")
          String rule,
      @Parameters(
              paramLabel = "RANGE",
              arity = "0..1",
              description = "where (default: the whole disk)")
          @Nullable String range)
      throws CtlException {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("disk", disk);
    body.put("rule", rule);
    body.put("range", range == null ? "" : range);
    return show("POST", device(name) + "/faults", Json.object(body));
  }

  @Command(description = "Reads the configuration again and applies what can be applied.")
  int reload() throws CtlException {
    return show("POST", "/v1/reload", "{}");
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
    return status == 404 ? Ctl.NO_SUCH_DEVICE : Ctl.REFUSED;
  }

  private static String device(String name) {
    return "/v1/devices/" + encode(name);
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}

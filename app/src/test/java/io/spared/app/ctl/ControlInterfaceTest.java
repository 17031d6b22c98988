package io.spared.app.ctl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import io.spared.app.control.PrometheusText;
import io.spared.app.control.Routes;
import io.spared.app.offline.OfflineException;
import io.spared.app.scenario.Trial;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The control socket of a real daemon, asked by the client's own code. */
@Timeout(120)
class ControlInterfaceTest {
  @TempDir private Path directory;

  private Trial trial;
  private ControlClient client;

  @BeforeEach
  void start() throws IOException, OfflineException {
    trial = new Trial(directory).create("a").start("a");
    client = new ControlClient(trial.socket());
    assertThat(trial.serves("a")).isTrue();
  }

  @AfterEach
  void stop() {
    trial.close();
  }

  private ControlClient.Reply get(String path) throws IOException {
    return client.call("GET", path, false, "");
  }

  @Test
  void onlyItsOwnerMayUseTheSocket() throws IOException {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(trial.socket())))
        .isEqualTo("rw-------");
  }

  @Test
  void metricsAreInPrometheusFormatAndSayWhatHappened() throws IOException, OfflineException {
    trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
    trial.fault("a", "main", "read fail=ENODATA range=80K+4K");
    trial.client(
        "a",
        disk -> {
          disk.write(0, Trial.block(0, 1));
          disk.write(40 << 10, Trial.block(10, 1));
          disk.read(0, 4096);
          assertThatThrownBy(() -> disk.read(80 << 10, 4096)).isInstanceOf(IOException.class);
        });
    assertThat(trial.until("a", status -> status.remaps().pending() == 1)).isTrue();
    PrometheusText metrics = PrometheusText.parse(get("/metrics").body());
    String a = "device=\"a\"";

    assertThat(metrics.value("spared_device_state", a, "state=\"active\"")).isEqualTo(1);
    assertThat(metrics.value("spared_copies_good", a)).isEqualTo(5);
    assertThat(metrics.value("spared_remapped_blocks", a)).isEqualTo(1);
    assertThat(metrics.value("spared_pending_blocks", a)).isEqualTo(1);
    assertThat(metrics.value("spared_in_doubt", a)).isZero();
    assertThat(metrics.value("spared_relocations_total", a)).isEqualTo(1);
    assertThat(metrics.value("spared_repairs_total", a)).isZero();
    assertThat(metrics.value("spared_scrubs_total", a)).isNotNegative();
    double commits = metrics.value("spared_commits_total", a);
    assertThat(commits).isPositive();
    assertThat(metrics.value("spared_commit_seconds_count", a)).isEqualTo(commits);
    assertThat(metrics.value("spared_commit_seconds_sum", a)).isPositive();
    assertThat(metrics.value("spared_disk_errors_total", a, "disk=\"main\"", "kind=\"media\""))
        .isPositive();
    assertThat(metrics.value("spared_io_seconds_count", a, "operation=\"write\"")).isEqualTo(2);
    assertThat(metrics.value("spared_io_bytes_total", a, "operation=\"write\"")).isEqualTo(8192);
    assertThat(metrics.value("spared_io_errors_total", a, "operation=\"write\"")).isZero();
    double reads = metrics.value("spared_io_seconds_count", a, "operation=\"read\"");
    assertThat(metrics.value("spared_io_errors_total", a, "operation=\"read\"")).isPositive();
    assertThat(metrics.value("spared_io_seconds_bucket", a, "\"read\"", "le=\"+Inf\""))
        .isEqualTo(reads);
    assertThat(metrics.value("spared_spare_free_bytes")).isPositive();
    assertThat(metrics.value("spared_events_total", "kind=\"device.active\"")).isPositive();
    assertThat(
            metrics.value("spared_threads", "io_flusher=\"true\"")
                + metrics.value("spared_threads", "io_flusher=\"false\""))
        .isGreaterThan(5);
    String documented = Files.readString(Path.of("../docs/reference/metrics.md"));
    assertThat(metrics.types().keySet())
        .allMatch(name -> name.startsWith("spared_"))
        .allMatch(name -> documented.contains("`" + name + "`"), "is documented");
  }

  @Test
  void statusInFullShowsOperationsWithTheirTimesAndEveryOpenQueue()
      throws IOException, OfflineException {
    trial.client(
        "a",
        disk -> {
          disk.write(0, Trial.block(0, 1));
          String status = get("/v1/devices/a").body();
          assertThat(status).containsPattern("write +1 requests, 4 KiB, 0 errors, half within ");
          assertThat(status).containsPattern("queue [0-9]+ +NBD.*, [0-9]+ requests, 0 errors");
        });
  }

  @Test
  void eventsFollowAsServerSentEventsFromTheLastOnesOn() throws IOException {
    List<String> events = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    class Enough extends RuntimeException {
      private static final long serialVersionUID = 1L;
    }
    assertThatThrownBy(() ->
            client.stream(
                "GET",
                "/v1/events?follow=true&last=3",
                "text/event-stream",
                "",
                piece -> {
                  text.append(piece);
                  for (int end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
                    events.add(text.substring(0, end));
                    text.delete(0, end + 2);
                    if (events.size() == 3) {
                      // Only now: what happens from here on has to come by itself.
                      trial.command("a", io.spared.device.DeviceCommand.Freeze::new);
                      ask("POST", "/v1/devices/a/thaw", "{}");
                    }
                  }
                  if (events.stream().anyMatch(event -> event.contains("thaw"))) {
                    throw new Enough();
                  }
                }))
        .isInstanceOf(Enough.class);
    long last = 0;
    for (String event : events) {
      assertThat(event).matches("id: [0-9]+\nevent: [a-z.-]+\ndata: [^\n]+");
      long id = Long.parseLong(event.substring("id: ".length(), event.indexOf('\n')));
      assertThat(id).isGreaterThan(last);
      last = id;
    }
    assertThat(events.getLast()).contains("event: audit").contains("control: thaw: a goes on");
  }

  private String ask(String method, String path, String body) {
    try {
      return client.call(method, path, false, body).body();
    } catch (IOException failed) {
      throw new IllegalStateException(failed);
    }
  }

  @Test
  void whatCannotBeUnderstoodIsRefusedInOneSentence() throws IOException {
    refused(404, "GET", "/v2/devices", "", "there is no such path; see /v1");
    refused(404, "GET", "/v1/nothing", "", "there is no such request");
    refused(404, "GET", "/v1/devices/b", "", "there is no device b; see spared ctl list");
    refused(404, "POST", "/v1/devices/a/dance", "{}", "dance: there is no such command");
    refused(404, "DELETE", "/v1/devices/b", "", "there is no device b; see spared ctl list");
    refused(404, "POST", "/v1/devices/b/stop", "{}", "there is no device b; see spared ctl list");
    refused(400, "POST", "/v1/devices", "{", "the body is not JSON");
    refused(400, "POST", "/v1/devices", "{\"main\":\"/dev/x\"}", "name is missing");
    refused(400, "POST", "/v1/devices", "{\"name\":\"../x\"}", "not a device's name");
    refused(400, "POST", "/v1/devices/a/faults", "{\"disk\":\"main\"}", "rule is missing");
    refused(400, "PUT", "/v1/devices/a/policy/auto-repair", "{}", "value is missing");
    refused(409, "PUT", "/v1/devices/a/policy/colour", "{\"value\":\"red\"}", "colour");
    refused(409, "POST", "/v1/devices/a/explain", "{\"sector\":-7}", "has sectors 0 to ");
    refused(413, "POST", "/v1/devices", " ".repeat(70_000) + "{}", "the body is longer than 65536");
    ControlClient.Reply json = client.call("GET", "/v1/devices/b", true, "");
    assertThat(json.body()).contains("\"refused\" : \"there is no device b");
    assertThat(trial.status("a").phase()).as("untouched").isEqualTo(Phase.ACTIVE);
  }

  @Test
  void noValueCrashesADevice() throws IOException {
    String epoch = trial.status("a").epoch();
    for (String rule : List.of("write tear=99999999999", "read delay=99999999999999999999s")) {
      String body = "{\"disk\":\"main\",\"rule\":\"" + rule + "\"}";
      refused(409, "POST", "/v1/devices/a/faults", body, rule.substring(rule.indexOf(' ') + 1));
    }
    for (String change :
        List.of(
            "scrub-interval=99999999999999999999s",
            "scrub-interval=999999999999d",
            "move-rate=999999999999GiB",
            "surface-period=59s")) {
      int equals = change.indexOf('=');
      String path = "/v1/devices/a/policy/" + change.substring(0, equals);
      String body = "{\"value\":\"" + change.substring(equals + 1) + "\"}";
      refused(409, "PUT", path, body, change.replace("=", ": "));
    }
    DeviceStatus after = trial.status("a");
    assertThat(after.epoch()).as("not assembled again").isEqualTo(epoch);
    assertThat(after.restarts()).isZero();
  }

  @Test
  void theServerWaitsLongerForAnAnswerThanAnyQuestionIsWaitedFor() {
    assertThat(ConfigFactory.load().getDuration("pekko.http.server.request-timeout"))
        .isGreaterThan(Routes.LONG_WAIT);
    assertThat(ConfigFactory.load().getDuration("pekko.http.server.idle-timeout"))
        .isGreaterThan(Routes.LONG_WAIT);
  }

  private void refused(int status, String method, String path, String body, String sentence)
      throws IOException {
    ControlClient.Reply reply = client.call(method, path, false, body);
    assertThat(reply.status()).as(path + ": " + reply.body()).isEqualTo(status);
    assertThat(reply.body()).contains(sentence);
    assertThat(reply.body().strip()).doesNotContain("\n").doesNotContain("Exception");
  }

  @Test
  void theClientsExitCodesTellWhatHappened() throws IOException {
    assertThat(ctl("status", "a")).isEqualTo(Ctl.DONE);
    assertThat(ctl("status", "b")).isEqualTo(Ctl.NO_SUCH_DEVICE);
    assertThat(ctl("set", "a", "colour=red")).isEqualTo(Ctl.REFUSED);
    assertThat(ctl("freeze")).isEqualTo(Ctl.USAGE);
    assertThat(ctl("threads")).isEqualTo(Ctl.DONE);
    trial.stopDaemon();
    assertThat(ctl("status")).isEqualTo(Ctl.NO_DAEMON);
  }

  private int ctl(String... words) {
    List<String> arguments = new ArrayList<>(List.of("--socket", trial.socket().toString()));
    arguments.addAll(List.of(words));
    PrintWriter nowhere = new PrintWriter(new StringWriter());
    return Ctl.run(arguments.toArray(String[]::new), nowhere, nowhere);
  }

  @Test
  void reloadAppliesWhatItCanAndSaysWhatNeedsARestart() throws IOException, OfflineException {
    trial.create("b");
    String before = Files.readString(trial.config());
    Files.writeString(
        trial.config(),
        before
                .replace("rings = 1", "rings = 2")
                .replace("commit-timeout = 1 s", "commit-timeout = 3 s")
            + "spared.devices.b { main = \"%s\", spares = [\"%s\"] }\n"
                .formatted(trial.main("b"), trial.spare("b")));
    ControlClient.Reply reply = client.call("POST", "/v1/reload", false, "{}");
    assertThat(reply.status()).as(reply.body()).isEqualTo(200);
    assertThat(reply.body())
        .containsPattern("rings, .* need a restart of the daemon")
        .contains("b: added")
        .contains("a: applied");
    assertThat(trial.serves("b")).isTrue();
    assertThat(get("/v1/devices/a").body()).containsPattern("commit-timeout +3 ?s");
    assertThat(trial.status("a").phase()).as("went on").isEqualTo(Phase.ACTIVE);

    Files.writeString(trial.config(), before + "spared.engine.ring = 3\n");
    ControlClient.Reply wrong = client.call("POST", "/v1/reload", false, "{}");
    assertThat(wrong.status()).isEqualTo(409);
    assertThat(wrong.body())
        .contains("nothing was changed")
        .contains("spared.conf")
        .contains("spared.engine.ring");
    assertThat(trial.status("b").phase()).isEqualTo(Phase.ACTIVE);

    Files.writeString(trial.config(), before);
    assertThat(client.call("POST", "/v1/reload", false, "{}").body())
        .contains("b: not configured any more; it goes on until spared ctl remove");
    assertThat(client.call("POST", "/v1/reload", false, "{}").body())
        .contains("nothing had changed");
  }
}

package io.spared.app.control;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import io.spared.app.config.Addresses;
import io.spared.app.config.DaemonConfig;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.Judgement;
import io.spared.ffi.disk.ByteSize;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.system.IoFlusher;
import io.spared.format.Form;
import io.spared.format.SpareMember;
import io.spared.host.HostCommand;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.spare.SpareUsage;
import io.spared.ublk.UblkIdentity;
import io.spared.ublk.UblkSettings;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.apache.pekko.stream.OverflowStrategy;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;

/**
 * The control interface, version 1. Every answer comes as JSON, or as text for people when asked
 * for {@code text/plain}; a refusal is one sentence in either form, with status 409 (or 404 for a
 * device that is not there, 400 for a request that cannot be understood, 504 when nobody knows yet
 * whether it was done).
 */
public final class Routes {
  private static final Duration WAIT = Duration.ofSeconds(3);

  /** Commands that take as long as disks do: a freeze, a stop, a repair. */
  public static final Duration LONG_WAIT = Duration.ofMinutes(10);

  /** Above the deadline of one disk, several times: disks that hang are read in turn. */
  private static final Duration SCAN_WAIT = Duration.ofMinutes(5);

  private static final int MOST_BODY_BYTES = 64 << 10;
  private static final int EVENTS_BUFFERED = 256;

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(
              new SimpleModule()
                  .addSerializer(Instant.class, new ToStringSerializer(Instant.class))
                  .addSerializer(Duration.class, new ToStringSerializer(Duration.class))
                  .addSerializer(Optional.class, new OptionalSerializer()))
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build();

  private final ActorSystem<?> system;
  private final ActorRef<HostCommand> host;
  private final ActorRef<MonitorCommand> monitor;
  private final ActorRef<DiscoveryCommand> discovery;
  private final DaemonConfig config;
  private final Supplier<CompletionStage<Answer>> reload;
  private final Supplier<Answer> handOver;

  public Routes(
      ActorSystem<?> system,
      ActorRef<HostCommand> host,
      ActorRef<MonitorCommand> monitor,
      ActorRef<DiscoveryCommand> discovery,
      DaemonConfig config,
      Supplier<CompletionStage<Answer>> reload,
      Supplier<Answer> handOver) {
    this.system = system;
    this.host = host;
    this.monitor = monitor;
    this.discovery = discovery;
    this.config = config;
    this.reload = reload;
    this.handOver = handOver;
  }

  /** One request to one answer; never fails. */
  public CompletionStage<HttpResponse> handle(HttpRequest request) {
    boolean json = !accepts(request, "text/plain");
    CompletionStage<HttpResponse> response;
    try {
      response = route(request, json);
    } catch (BadRequest bad) {
      response = done(refusal(400, String.valueOf(bad.getMessage()), json));
    }
    return response.exceptionally(failure -> {
      Throwable cause = failure.getCause() == null ? failure : failure.getCause();
      if (cause instanceof BadRequest bad) {
        return refusal(400, String.valueOf(bad.getMessage()), json);
      }
      if (cause instanceof EntityStreamSizeException) {
        return refusal(413, "the body is longer than " + MOST_BODY_BYTES + " bytes", json);
      }
      return refusal(504, "the daemon did not answer in time: " + cause.getMessage(), json);
    });
  }

  private CompletionStage<HttpResponse> route(HttpRequest request, boolean json) {
    List<String> path = segments(request.getUri().path());
    String method = request.method().value();
    if (path.equals(List.of("metrics")) && method.equals("GET")) {
      return metrics();
    }
    if (path.isEmpty() || !path.get(0).equals("v1")) {
      return done(refusal(404, request.getUri().path() + ": there is no such path; see /v1", json));
    }
    List<String> rest = path.subList(1, path.size());
    String first = rest.isEmpty() ? "" : rest.get(0);
    return switch (method + " " + first + "/" + rest.size()) {
      case "GET devices/1" -> devices(request, json);
      case "POST devices/1" -> body(request).thenCompose(body -> add(body, json));
      case "GET devices/2" -> device(rest.get(1), json);
      case "DELETE devices/2" -> remove(rest.get(1), query(request, "force"), json);
      case "POST devices/3" ->
          body(request).thenCompose(body -> command(rest.get(1), rest.get(2), body, json));
      case "PUT devices/4" ->
          body(request)
              .thenCompose(body ->
                  ask(
                      rest.get(1),
                      "set " + rest.get(3),
                      json,
                      replyTo ->
                          new DeviceCommand.SetPolicy(rest.get(3), text(body, "value"), replyTo)));
      case "GET events/1" -> events(request, json);
      case "GET alerts/1" -> alerts(json);
      case "GET spares/1" -> spares(json);
      case "GET threads/1" ->
          threads().thenApply(threads -> json ? ok(threads) : text(Render.threads(threads)));
      case "GET discovery/1" -> discovery(json, WAIT, DiscoveryCommand.GetReport::new);
      case "POST discovery/1" ->
          body(request)
              .thenCompose(body ->
                  discovery(
                      json,
                      SCAN_WAIT,
                      replyTo ->
                          new DiscoveryCommand.Scan(
                              "by command", body.path("activate").asBoolean(false), replyTo)));
      case "PUT discovery/2" ->
          body(request).thenCompose(body -> automatic(text(body, "value"), json));
      case "POST ublk/2" -> {
        if (!rest.get(1).equals("recover")) {
          throw new BadRequest(rest.get(1) + ": there is no such command");
        }
        yield body(request).thenCompose(body -> recover(body, json));
      }
      case "POST hand-over/1" -> done(answered("", "hand-over", handOver.get(), json));
      case "POST reload/1" ->
          reload.get().thenApply(answer -> answered("", "reload", answer, json));
      default ->
          done(
              refusal(
                  404,
                  method + " " + request.getUri().path() + ": there is no such request",
                  json));
    };
  }

  // Devices.

  private CompletionStage<HttpResponse> devices(HttpRequest request, boolean json) {
    return AskPattern.<HostCommand, List<DeviceStatus>>ask(
            host, HostCommand.Statuses::new, WAIT, system.scheduler())
        .thenApply(list -> {
          if (query(request, "view").equals("names")) {
            List<String> names = list.stream().map(DeviceStatus::name).sorted().toList();
            return json ? ok(names) : text(String.join("\n", names) + "\n");
          }
          return json ? ok(list) : text(Render.devices(list));
        });
  }

  private CompletionStage<HttpResponse> device(String name, boolean json) {
    return find(name)
        .thenCompose(found ->
            found.isEmpty()
                ? done(noDevice(name, json))
                : AskPattern.<DeviceCommand, DeviceStatus>ask(
                        found.get(), DeviceCommand.GetStatus::new, WAIT, system.scheduler())
                    .thenApply(status -> json ? ok(status) : text(Render.device(status))));
  }

  private CompletionStage<HttpResponse> add(JsonNode body, boolean json) {
    String name = text(body, "name");
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")) {
      throw new BadRequest(name + ": not a device's name");
    }
    DeviceSettings base = config.defaults();
    List<DiskAddress> spares = new ArrayList<>();
    for (JsonNode spare : body.path("spares")) {
      spares.add(address(spare.asText()));
    }
    DeviceSettings.Frontend frontend =
        switch (body.path("frontend").asText("nbd")) {
          case "nbd" -> DeviceSettings.Frontend.NBD;
          case "ublk" -> DeviceSettings.Frontend.UBLK;
          case "none" -> DeviceSettings.Frontend.NONE;
          default -> throw new BadRequest("a frontend is nbd, ublk or none");
        };
    DeviceSettings settings =
        new DeviceSettings(
            name,
            body.path("description").asText(""),
            address(text(body, "main")),
            spares,
            frontend,
            body.path("readOnly").asBoolean(false),
            base.deadlines(),
            base.upkeep(),
            base.overrides(),
            block(body, base.block()));
    return AskPattern.<HostCommand, Answer>ask(
            host, replyTo -> new HostCommand.Add(settings, replyTo), WAIT, system.scheduler())
        .thenApply(answer -> answered(name, "add", answer, json));
  }

  /** How the kernel is to make the block device, as far as the request says. */
  private static DeviceSettings.BlockDevice block(JsonNode body, DeviceSettings.BlockDevice base) {
    return new DeviceSettings.BlockDevice(
        within(body, "number", base.number(), 0, (1 << 20) - 1),
        within(body, "queues", base.queues(), 1, 64),
        within(body, "depth", base.depth(), 1, UblkSettings.DEPTH_MAX),
        base.requestBytes(),
        base.copying());
  }

  private static int within(JsonNode body, String name, int otherwise, int least, int most) {
    JsonNode value = body.path(name);
    if (value.isMissingNode()) {
      return otherwise;
    }
    if (!value.canConvertToInt() || value.asInt() < least || value.asInt() > most) {
      throw new BadRequest(name + " is a number from " + least + " to " + most + ", not " + value);
    }
    return value.asInt();
  }

  /** A block device that was left: the set-up that it belongs to is found, and started. */
  private CompletionStage<HttpResponse> recover(JsonNode body, boolean json) {
    String block = "/dev/ublkb" + text(body, "number");
    long identity;
    try {
      identity = Long.parseUnsignedLong(text(body, "identity"), 16);
    } catch (NumberFormatException wrong) {
      throw new BadRequest("identity is 16 hexadecimal digits");
    }
    return AskPattern.<DiscoveryCommand, DiscoveryCommand.ScanReport>ask(
            discovery,
            replyTo -> new DiscoveryCommand.Scan("to recover " + block, false, replyTo),
            SCAN_WAIT,
            system.scheduler())
        .thenCompose(report -> {
          Optional<Judgement> owner =
              report.judgements().stream()
                  .filter(one -> UblkIdentity.of(one.deviceId()) == identity)
                  .findFirst();
          return owner.isPresent()
              ? recover(block, owner.get(), json)
              : done(
                  refusal(
                      409,
                      "no set-up was found that " + block + " belongs to; connect its disks",
                      json));
        });
  }

  private CompletionStage<HttpResponse> recover(String block, Judgement owner, boolean json) {
    String name = owner.name();
    if (owner.decision() == Judgement.Decision.ALREADY_ACTIVE
        || owner.decision() == Judgement.Decision.BEING_ASSEMBLED) {
      return done(
          refusal(
              409,
              name
                  + " runs already; with the frontend ublk it takes "
                  + block
                  + " back by itself: see spared ctl events",
              json));
    }
    if (owner.decision() == Judgement.Decision.FORBIDDEN || owner.setUp().isEmpty()) {
      return done(
          refusal(
              409, block + " belongs to " + name + ", which cannot start: " + owner.line(), json));
    }
    DeviceSettings settings =
        config
            .defaults()
            .withDisks(name, owner.setUp().get().main(), owner.setUp().get().spares())
            .withFrontend(DeviceSettings.Frontend.UBLK);
    return AskPattern.<HostCommand, Answer>ask(
            host, replyTo -> new HostCommand.Add(settings, replyTo), WAIT, system.scheduler())
        .thenApply(answer ->
            answered(
                name,
                "recover " + block,
                answer instanceof Answer.Done
                    ? new Answer.Done(name + " is being assembled, and takes " + block + " back")
                    : answer,
                json));
  }

  private static DiskAddress address(String text) {
    try {
      return Addresses.parse(text);
    } catch (IllegalArgumentException wrong) {
      throw new BadRequest(String.valueOf(wrong.getMessage()));
    }
  }

  private CompletionStage<HttpResponse> remove(String name, String force, boolean json) {
    return AskPattern.<HostCommand, Answer>ask(
            host,
            replyTo -> new HostCommand.Remove(name, force.equals("true"), replyTo),
            LONG_WAIT,
            system.scheduler())
        .thenApply(answer -> answered(name, "remove", answer, json));
  }

  private CompletionStage<HttpResponse> command(
      String name, String action, JsonNode body, boolean json) {
    return switch (action) {
      case "start" -> {
        boolean takeOver = body.path("takeOver").asBoolean(false);
        Optional<DeviceCommand.GiveUp> giveUp = giveUp(body);
        yield ask(
            name,
            action
                + (takeOver ? " --take-over" : "")
                + giveUp
                    .map(spares ->
                        " --without-spare "
                            + spares.spares()
                            + spares.blocks().stream()
                                .mapToObj(blocks -> " --accept-loss " + blocks)
                                .findFirst()
                                .orElse(""))
                    .orElse(""),
            json,
            replyTo -> new DeviceCommand.Start(takeOver, giveUp, replyTo));
      }
      case "stop" ->
          throughHost(
              name,
              action,
              json,
              replyTo ->
                  new HostCommand.Stop(
                      name,
                      body.path("force").asBoolean(false),
                      Math.round(body.path("deadlineSeconds").asDouble(0) * 1e9),
                      replyTo));
      case "spares" -> addSpare(name, body, json);
      case "evacuate" -> evacuate(name, body, json);
      case "replace" -> replace(name, body, json);
      case "convert" -> {
        Form form =
            switch (text(body, "form")) {
              case "adopt" -> Form.ADOPT;
              case "labelled" -> Form.LABELLED;
              default -> throw new BadRequest("a set-up can become adopt or labelled");
            };
        yield ask(
            name, "convert to " + form, json, replyTo -> new DeviceCommand.Convert(form, replyTo));
      }
      case "cancel-replace" -> ask(name, action, json, DeviceCommand.CancelReplace::new);
      case "freeze" -> ask(name, action, json, DeviceCommand.Freeze::new);
      case "thaw" -> ask(name, action, json, DeviceCommand.Thaw::new);
      case "repair" -> ask(name, action, json, DeviceCommand.Repair::new);
      case "scrub" ->
          ask(
              name,
              action,
              json,
              replyTo -> new DeviceCommand.Scrub(body.path("surface").asBoolean(false), replyTo));
      case "explain" ->
          ask(
              name,
              action,
              json,
              replyTo -> new DeviceCommand.Explain(body.path("sector").asLong(-1), replyTo));
      case "faults" ->
          ask(
              name,
              "fault " + text(body, "disk") + " " + text(body, "rule"),
              json,
              replyTo ->
                  new DeviceCommand.InjectFault(text(body, "disk"), text(body, "rule"), replyTo));
      default -> done(refusal(404, action + ": there is no such command", json));
    };
  }

  private static Optional<DeviceCommand.GiveUp> giveUp(JsonNode body) {
    JsonNode named = body.path("withoutSpares");
    JsonNode blocks = body.path("acceptLoss");
    Set<Integer> spares = new TreeSet<>();
    for (JsonNode spare : named) {
      if (!spare.isIntegralNumber() || spare.asInt() < 0 || spare.asInt() > SpareMember.INDEX_MAX) {
        throw new BadRequest("withoutSpares has numbers of spares, such as [1], not " + spare);
      }
      spares.add(spare.asInt());
    }
    if (spares.isEmpty() && (!named.isMissingNode() || !blocks.isMissingNode())) {
      throw new BadRequest("which spare? name its number, such as {\"withoutSpares\": [1]}");
    }
    if (!blocks.isMissingNode() && (!blocks.canConvertToLong() || blocks.asLong() < 0)) {
      throw new BadRequest("acceptLoss is a number of blocks, not " + blocks);
    }
    return spares.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new DeviceCommand.GiveUp(
                spares,
                blocks.isMissingNode() ? OptionalLong.empty() : OptionalLong.of(blocks.asLong())));
  }

  private CompletionStage<HttpResponse> replace(String name, JsonNode body, boolean json) {
    DiskAddress disk = address(text(body, "disk"));
    String which = text(body, "which");
    if (which.matches("spare[-:][0-9]{1,2}")) {
      // It comes and the other is left in one commit; blocks follow.
      return addSpare(name, disk, Integer.parseInt(which.substring(6)), json);
    }
    if (!which.equals("main")) {
      throw new BadRequest(which + ": what can be replaced is main, spare-0, spare-1, ...");
    }
    long rate;
    try {
      rate = ByteSize.parse(body.path("rate").asText("0"));
    } catch (IllegalArgumentException wrong) {
      throw new BadRequest("rate: " + wrong.getMessage());
    }
    return ask(
        name,
        "replace main " + disk,
        json,
        replyTo -> new DeviceCommand.Replace(disk, rate, replyTo));
  }

  private CompletionStage<HttpResponse> addSpare(String name, JsonNode body, boolean json) {
    return addSpare(name, address(text(body, "disk")), body.path("leaves").asInt(-1), json);
  }

  private CompletionStage<HttpResponse> addSpare(
      String name, DiskAddress disk, int leaves, boolean json) {
    return throughHost(
        name,
        "add-spare " + disk,
        json,
        replyTo -> new HostCommand.AddSpare(name, disk, leaves, replyTo));
  }

  /** For what the host hands on to the device. */
  private CompletionStage<HttpResponse> throughHost(
      String name, String action, boolean json, Function<ActorRef<Answer>, HostCommand> command) {
    return find(name)
        .thenCompose(found ->
            found.isEmpty()
                ? done(noDevice(name, json))
                : Question.ask(system, host, found.get(), LONG_WAIT, command)
                    .thenApply(answer -> answered(name, action, answer, json)));
  }

  private CompletionStage<HttpResponse> evacuate(String name, JsonNode body, boolean json) {
    int spare = body.path("spare").asInt(-1);
    boolean giveUp = body.path("giveUp").asBoolean(false);
    boolean cancel = body.path("cancel").asBoolean(false);
    if (spare < 0) {
      throw new BadRequest("which spare? name its number, such as {\"spare\": 0}");
    }
    return ask(
        name,
        (cancel ? "cancel evacuation of spare " : "evacuate spare ")
            + spare
            + (giveUp ? ", giving it up" : ""),
        json,
        replyTo ->
            cancel
                ? new DeviceCommand.CancelEvacuation(spare, replyTo)
                : new DeviceCommand.Evacuate(spare, giveUp, replyTo));
  }

  private CompletionStage<Optional<ActorRef<DeviceCommand>>> find(String name) {
    return AskPattern.ask(
        host, replyTo -> new HostCommand.Find(name, replyTo), WAIT, system.scheduler());
  }

  private CompletionStage<HttpResponse> ask(
      String name, String action, boolean json, Function<ActorRef<Answer>, DeviceCommand> command) {
    return find(name)
        .thenCompose(found ->
            found.isEmpty()
                ? done(noDevice(name, json))
                : Question.ask(system, found.get(), found.get(), LONG_WAIT, command)
                    .thenApply(answer -> answered(name, action, answer, json)));
  }

  private HttpResponse answered(String name, String action, Answer answer, boolean json) {
    monitor.tell(new MonitorCommand.Audit("control", name, action, answer.sentence()));
    return switch (answer) {
      case Answer.Done done ->
          json ? ok(Map.of("done", done.sentence())) : text(done.sentence() + "\n");
      case Answer.Refused refused ->
          refused.sentence().startsWith("there is no device")
              ? noDevice(name, json)
              : refusal(409, refused.sentence(), json);
      case Answer.InDoubt doubt -> refusal(504, doubt.sentence(), json);
    };
  }

  // Discovery.

  private CompletionStage<HttpResponse> discovery(
      boolean json,
      Duration wait,
      Function<ActorRef<DiscoveryCommand.ScanReport>, DiscoveryCommand> question) {
    return AskPattern.<DiscoveryCommand, DiscoveryCommand.ScanReport>ask(
            discovery, question::apply, wait, system.scheduler())
        .thenApply(report -> json ? ok(report) : text(Render.scan(report)));
  }

  private CompletionStage<HttpResponse> automatic(String value, boolean json) {
    if (!value.equals("on") && !value.equals("off")) {
      throw new BadRequest("automatic activation is on or off, not " + value);
    }
    return AskPattern.<DiscoveryCommand, DiscoveryCommand.AutomaticSet>ask(
            discovery,
            replyTo -> new DiscoveryCommand.SetAutomatic(value.equals("on"), "control", replyTo),
            WAIT,
            system.scheduler())
        .thenApply(set -> json ? ok(set) : text(set.sentence() + "\n"));
  }

  // Events.

  private CompletionStage<HttpResponse> events(HttpRequest request, boolean json) {
    String last = query(request, "last");
    int most = last.matches("\\d{1,6}") ? Integer.parseInt(last) : 50;
    if (query(request, "follow").equals("true")) {
      return done(follow(most));
    }
    return AskPattern.<MonitorCommand, List<Event>>ask(
            monitor,
            replyTo -> new MonitorCommand.Recent(0, most, replyTo),
            WAIT,
            system.scheduler())
        .thenApply(events -> json ? ok(events) : text(Render.events(events)));
  }

  /** Server-sent events: the last ones, then each as it happens; a slow reader loses the oldest. */
  private HttpResponse follow(int last) {
    Source<ByteString, ?> source =
        Source.<Event>actorRef(
                event -> Optional.empty(),
                event -> Optional.empty(),
                EVENTS_BUFFERED,
                OverflowStrategy.dropHead())
            .mapMaterializedValue(subscriber -> {
              monitor.tell(new MonitorCommand.Replay(last, Adapter.toTyped(subscriber)));
              return subscriber;
            })
            .map(event -> ByteString.fromString(sse(event)))
            .keepAlive(Duration.ofSeconds(15), () -> ByteString.fromString(": alive\n\n"));
    ContentType type = MediaTypes.TEXT_EVENT_STREAM.toContentType();
    return HttpResponse.create().withEntity(HttpEntities.createChunked(type, source));
  }

  private static String sse(Event event) {
    return "id: "
        + event.sequence()
        + "\nevent: "
        + event.kind()
        + "\ndata: "
        + Render.event(event).replace('\n', ' ')
        + "\n\n";
  }

  private CompletionStage<HttpResponse> alerts(boolean json) {
    return AskPattern.<MonitorCommand, List<Event>>ask(
            monitor, MonitorCommand.Alerts::new, WAIT, system.scheduler())
        .thenApply(alerts -> json ? ok(alerts) : text(Render.events(alerts)));
  }

  private CompletionStage<HttpResponse> spares(boolean json) {
    return AskPattern.<HostCommand, List<SpareUsage>>ask(
            host, HostCommand.GetSpares::new, WAIT, system.scheduler())
        .thenApply(usages -> json ? ok(usages) : text(Render.spares(usages)));
  }

  private CompletionStage<List<IoFlusher.ThreadFlag>> threads() {
    return CompletableFuture.supplyAsync(
        IoFlusher::threads,
        system.dispatchers().lookup(DispatcherSelector.fromConfig("spared.blocking")));
  }

  private CompletionStage<HttpResponse> metrics() {
    CompletionStage<List<DeviceStatus>> statuses =
        AskPattern.ask(host, HostCommand.Statuses::new, WAIT, system.scheduler());
    CompletionStage<List<SpareUsage>> usages =
        AskPattern.ask(host, HostCommand.GetSpares::new, WAIT, system.scheduler());
    CompletionStage<Map<String, Long>> counts =
        AskPattern.ask(monitor, MonitorCommand.Counts::new, WAIT, system.scheduler());
    CompletionStage<Metrics.Source> source =
        statuses.thenCombine(
            usages, (devices, spares) -> new Metrics.Source(devices, spares, Map.of(), List.of()));
    return source
        .thenCombine(counts, Metrics.Source::withEvents)
        .thenCombine(threads(), Metrics.Source::withThreads)
        .thenApply(known -> text(Metrics.render(known)));
  }

  // HTTP.

  private static boolean accepts(HttpRequest request, String type) {
    return request.getHeader("Accept").map(header -> header.value().contains(type)).orElse(false);
  }

  private static List<String> segments(String path) {
    List<String> segments = new ArrayList<>();
    for (String segment : path.split("/", -1)) {
      if (!segment.isEmpty()) {
        segments.add(URLDecoder.decode(segment, StandardCharsets.UTF_8));
      }
    }
    return segments;
  }

  private static String query(HttpRequest request, String name) {
    return request.getUri().query().get(name).orElse("");
  }

  private CompletionStage<JsonNode> body(HttpRequest request) {
    if (request.method().equals(HttpMethods.GET)) {
      return CompletableFuture.completedFuture(JSON.createObjectNode());
    }
    return request
        .entity()
        .withSizeLimit(MOST_BODY_BYTES)
        .toStrict(WAIT.toMillis(), system)
        .thenApply(strict -> {
          String text = strict.getData().utf8String();
          if (text.isBlank()) {
            return JSON.createObjectNode();
          }
          try {
            return JSON.readTree(text);
          } catch (JsonProcessingException wrong) {
            throw new BadRequest("the body is not JSON: " + wrong.getOriginalMessage());
          }
        });
  }

  private static String text(JsonNode body, String name) {
    String value = body.path(name).asText("");
    if (value.isEmpty()) {
      throw new BadRequest(name + " is missing");
    }
    return value;
  }

  private static HttpResponse noDevice(String name, boolean json) {
    return refusal(404, "there is no device " + name + "; see spared ctl list", json);
  }

  private static HttpResponse ok(Object value) {
    try {
      return HttpResponse.create()
          .withEntity(
              HttpEntities.create(
                  ContentTypes.APPLICATION_JSON, JSON.writeValueAsString(value) + "\n"));
    } catch (JsonProcessingException defect) {
      throw new IllegalStateException("an answer could not be written as JSON", defect);
    }
  }

  private static HttpResponse text(String text) {
    return HttpResponse.create()
        .withEntity(HttpEntities.create(ContentTypes.TEXT_PLAIN_UTF8, text));
  }

  private static HttpResponse refusal(int status, String sentence, boolean json) {
    HttpResponse response =
        json ? ok(Map.of("refused", sentence)) : text("spared ctl: " + sentence + "\n");
    return response.withStatus(StatusCodes.get(status));
  }

  private static <T> CompletionStage<T> done(T value) {
    return CompletableFuture.completedFuture(value);
  }

  /** A request that cannot be understood. */
  private static final class BadRequest extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BadRequest(String sentence) {
      super(sentence);
    }
  }
}

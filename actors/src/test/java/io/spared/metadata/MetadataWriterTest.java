package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.format.Change;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.LostBits;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareTable;
import io.spared.format.TestDevice;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/** The writer as an actor, on a simulated ring, from creation to its stop and the next start. */
class MetadataWriterTest {
  private static final DiskAddress ADDRESS = new DiskAddress.OfPath(Path.of("/dev/spare"));
  private static final Duration SOON = Duration.ofSeconds(20);

  private final SimWorld world = new SimWorld(3);
  private final SimDrive drive = new SimDrive(world, "spare", 64 << 20, 512);
  private final SimOpener opener = new SimOpener().plug(ADDRESS, drive);
  private final List<Object> heard = new ArrayList<>();

  /** One process whose guardian runs the script with a writer, and hears its answers. */
  private SimProcess process(Script script) {
    SimProcess process = new SimProcess(world, 1);
    process.start(
        Behaviors.<Object>setup(context -> {
          ActorRef<MetadataCommand> writer =
              context.spawn(
                  MetadataWriter.create(
                      MetadataSettings.defaults(),
                      process.engine(0),
                      world.world(),
                      context.getSelf().narrow()),
                  "metadata",
                  SimProcess.dispatcher(0));
          context.watch(writer);
          script.begin(writer, context.getSelf().narrow(), process);
          return Behaviors.receive(Object.class)
              .onAnyMessage(message -> {
                heard.add(message);
                return Behaviors.same();
              })
              .onSignal(
                  Terminated.class,
                  ended -> {
                    heard.add("ended");
                    return Behaviors.same();
                  })
              .build();
        }));
    return process;
  }

  private interface Script {
    void begin(ActorRef<MetadataCommand> writer, ActorRef<MetadataReply> self, SimProcess process)
        throws Exception;
  }

  private <T> T heard(Class<T> type) {
    assertThat(world.runUntil(() -> heard.stream().anyMatch(type::isInstance), SOON))
        .as("%s among %s", type, heard)
        .isTrue();
    return heard.stream().filter(type::isInstance).map(type::cast).findFirst().orElseThrow();
  }

  @Test
  void aDeviceIsCreatedBegunCommittedStoppedAndFoundAgain() {
    DeviceImage fresh = TestDevice.emptyImage(1);
    Placement placement =
        CopyPlacer.place(
                WriterHarness.LAYOUT,
                5,
                List.of(new CopyPlacer.Room(0, 64 << 20, SpareTable.lendable(0, 64 << 20))))
            .orElseThrow();
    fresh.apply(Position.NONE, List.of(new Change.CopiesPlaced(placement)));
    List<ActorRef<MetadataCommand>> writers = new ArrayList<>();
    List<ActorRef<MetadataReply>> selves = new ArrayList<>();
    SimProcess first =
        process((writer, self, process) -> {
          writers.add(writer);
          selves.add(self);
          writer.tell(
              new MetadataCommand.Create(
                  fresh,
                  Map.of(0, opener.open(ADDRESS, DiskOpener.Mode.OWN).attach(process.engine(0))),
                  self));
        });
    heard(MetadataReply.Created.class);
    writers
        .get(0)
        .tell(new MetadataCommand.Begin(new Epoch(1, 5), TestDevice.OWNER, selves.get(0)));
    heard(MetadataReply.Begun.class);
    writers
        .get(0)
        .tell(
            new MetadataCommand.Commit(
                7, List.of(new Change.Remapped(1, 0, 2, new LostBits(3, 0))), selves.get(0)));
    assertThat(heard(MetadataReply.Committed.class).id()).isEqualTo(7);
    writers.get(0).tell(new MetadataCommand.Stop(Duration.ofSeconds(2), selves.get(0)));
    assertThat(heard(MetadataReply.Stopped.class).heldWrites()).isZero();
    heard(String.class);
    assertThat(first.buffersTaken()).isZero();
    first.kill(List.of(drive));
    heard.clear();

    process((writer, self, process) ->
        writer.tell(
            new MetadataCommand.Load(
                TestDevice.DEVICE,
                List.of(
                    new MetadataCommand.CopySource(
                        TestDevice.spareId(0),
                        opener.open(ADDRESS, DiskOpener.Mode.OWN).attach(process.engine(0)),
                        64 << 20,
                        placement.places().stream().map(place -> place.offsetBytes()).toList())),
                geometry -> new SortedRemapEntries(),
                Optional.empty(),
                Optional.empty(),
                self)));
    MetadataReply.Loaded loaded = heard(MetadataReply.Loaded.class);
    assertThat(loaded.verdict().isHealthy()).isTrue();
    assertThat(((SortedRemapEntries) loaded.image().entries()).remaps())
        .containsEntry(1L, new SortedRemapEntries.Target(0, 2, new LostBits(3, 0)));
  }
}

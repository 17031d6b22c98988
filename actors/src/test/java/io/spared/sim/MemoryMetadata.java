package io.spared.sim;

import io.spared.format.Change;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Geometry;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Metadata without disks, for campaigns against queues and relocation alone: the writer's protocol
 * with every outcome that it allows, at any rate. It outlives the daemon; a commit that was under
 * way at a crash, or indeterminate, is then kept or not.
 */
final class MemoryMetadata {
  /** A commit that may be found after a crash or not. */
  private record Maybe(long id, Position position, List<Change> changes) {}

  private final SimWorld world;
  private final SimRandom random;
  private final Geometry geometry;
  private final Function<RemapEntries, DeviceImage> fresh;
  private final List<Maybe> committed = new ArrayList<>();
  private final List<Maybe> maybe = new ArrayList<>();
  private long sequence;

  double indeterminate;
  double refused;
  long commitMaxNanos = 3_000_000;

  MemoryMetadata(SimWorld world, Geometry geometry, Function<RemapEntries, DeviceImage> fresh) {
    this.world = world;
    this.geometry = geometry;
    this.random = world.random().fork();
    this.fresh = fresh;
  }

  /** The daemon or the power is gone: what was under way is there or not. */
  void crashed() {
    for (Maybe one : maybe) {
      if (random.nextBoolean()) {
        world.coverage().hit("metadata.maybeKept");
        committed.add(one);
      } else {
        world.coverage().hit("metadata.maybeLost");
      }
    }
    maybe.clear();
  }

  long commits() {
    return committed.size();
  }

  Behavior<MetadataCommand> writer(ActorRef<MetadataEvent> owner) {
    return Behaviors.receive(MetadataCommand.class)
        .onAnyMessage(command -> {
          handle(command, owner);
          return Behaviors.same();
        })
        .build();
  }

  private void handle(MetadataCommand command, ActorRef<MetadataEvent> owner) {
    switch (command) {
      case MetadataCommand.Load load -> {
        DeviceImage image = fresh.apply(load.entries().apply(geometry));
        for (Maybe one : committed) {
          image.apply(one.position(), one.changes());
        }
        load.replyTo()
            .tell(
                new MetadataReply.Loaded(
                    new CopyVerdict(
                        CopyVerdict.Decision.USABLE,
                        List.of("it is in memory"),
                        List.of(),
                        Optional.of(image.position()),
                        List.of(0)),
                    image));
      }
      case MetadataCommand.Begin begin ->
          begin.replyTo().tell(new MetadataReply.Begun(nextPosition()));
      case MetadataCommand.Commit commit -> commit(commit, owner);
      case MetadataCommand.Stop stop -> stop.replyTo().tell(new MetadataReply.Stopped(0));
      default -> {}
    }
  }

  private Position nextPosition() {
    return new Position(io.spared.format.Epoch.NONE, ++sequence);
  }

  private void commit(MetadataCommand.Commit commit, ActorRef<MetadataEvent> owner) {
    SimExecutor living = world.executor();
    if (random.chance(refused)) {
      world.coverage().hit("metadata.refused");
      after(
          living,
          () ->
              commit
                  .replyTo()
                  .tell(
                      new MetadataReply.Refused(
                          commit.id(), MetadataReply.Reason.NO_QUORUM, "the simulation refuses")));
      return;
    }
    Maybe one = new Maybe(commit.id(), nextPosition(), commit.changes());
    maybe.add(one);
    boolean doubt = random.chance(indeterminate);
    after(
        living,
        () -> {
          if (doubt) {
            world.coverage().hit("metadata.indeterminate");
            commit
                .replyTo()
                .tell(new MetadataReply.Indeterminate(one.id(), one.position(), List.of()));
            after(
                living,
                () -> {
                  keep(one);
                  owner.tell(
                      new MetadataEvent.CommitResolved(one.id(), one.position(), one.changes()));
                });
          } else {
            keep(one);
            after(
                living,
                () -> commit.replyTo().tell(new MetadataReply.Committed(one.id(), one.position())));
          }
        });
  }

  private void keep(Maybe one) {
    maybe.remove(one);
    committed.add(one);
    world.coverage().hit("metadata.committed");
  }

  /** Later, unless the process has died meanwhile. */
  private void after(@org.jspecify.annotations.Nullable SimExecutor living, Runnable action) {
    world.at(
        world.nowNanos() + 1 + random.below(commitMaxNanos),
        () -> {
          if (living == null || !living.isDead()) {
            action.run();
          }
        });
  }
}

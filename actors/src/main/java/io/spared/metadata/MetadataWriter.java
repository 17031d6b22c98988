package io.spared.metadata;

import io.spared.ffi.engine.Engine;
import io.spared.ffi.world.World;
import java.time.Duration;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.PreRestart;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;

/**
 * The actor that writes a device's metadata. It lives on the device's home ring, is the only one
 * that writes the copies, and reads the device's image (which the device actor changes on the same
 * thread) when it writes checkpoints. What it does is in {@link Writer}; this only carries messages
 * and timers to it.
 *
 * <p>If it crashes, what is in flight is unknown: the device fails and is assembled again from
 * disk.
 */
public final class MetadataWriter extends AbstractBehavior<MetadataCommand> {
  private final Writer writer;

  private MetadataWriter(ActorContext<MetadataCommand> context, Writer writer) {
    super(context);
    this.writer = writer;
  }

  /** To be spawned on the dispatcher of the ring whose engine is given. */
  public static Behavior<MetadataCommand> create(
      MetadataSettings settings, Engine engine, World world, ActorRef<MetadataEvent> owner) {
    return create(settings, engine, world, owner, new WriterRules());
  }

  static Behavior<MetadataCommand> create(
      MetadataSettings settings,
      Engine engine,
      World world,
      ActorRef<MetadataEvent> owner,
      WriterRules rules) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers ->
            new MetadataWriter(
                context,
                new Writer(
                    settings,
                    engine,
                    world,
                    new PekkoAlarms(timers),
                    owner::tell,
                    () -> context.getSelf().tell(MetadataCommand.IoEnded.SIGNAL),
                    rules))));
  }

  private record PekkoAlarms(TimerScheduler<MetadataCommand> timers) implements Alarms {
    @Override
    public void set(Kind kind, Duration delay) {
      timers.startSingleTimer(kind, new MetadataCommand.AlarmFired(kind), delay);
    }

    @Override
    public void cancel(Kind kind) {
      timers.cancel(kind);
    }
  }

  @Override
  public Receive<MetadataCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(MetadataCommand.class, this::on)
        .onSignal(PostStop.class, signal -> closed())
        .onSignal(PreRestart.class, signal -> closed())
        .build();
  }

  private Behavior<MetadataCommand> closed() {
    writer.close();
    return this;
  }

  private Behavior<MetadataCommand> on(MetadataCommand command) {
    switch (command) {
      case MetadataCommand.IoEnded c -> writer.ioEnded();
      case MetadataCommand.AlarmFired c -> writer.alarm(c.kind());
      case MetadataCommand.Load c ->
          writer.load(
              c.deviceId(),
              c.sources(),
              c.entries(),
              c.cleanStop(),
              c.consent(),
              c.replyTo()::tell);
      case MetadataCommand.Create c -> writer.create(c.image(), c.ports(), c.replyTo()::tell);
      case MetadataCommand.Begin c -> writer.begin(c.epoch(), c.owner(), c.replyTo()::tell);
      case MetadataCommand.BeginPlaced c -> writer.beginPlaced(c, c.replyTo()::tell);
      case MetadataCommand.Commit c -> writer.commit(c.id(), c.changes(), c.replyTo()::tell);
      case MetadataCommand.CancelCommit c -> writer.cancelCommit(c.id());
      case MetadataCommand.Place c -> writer.place(c, c.replyTo()::tell);
      case MetadataCommand.SpareGone c -> writer.spareGone(c.spare(), c.reason());
      case MetadataCommand.SpareBack c -> writer.spareBack(c.spare(), c.port());
      case MetadataCommand.Repair c -> writer.repair(c.replyTo()::tell);
      case MetadataCommand.CancelRepair c -> writer.cancelRepair();
      case MetadataCommand.Scrub c -> writer.scrub(c.replyTo()::tell);
      case MetadataCommand.CancelScrub c -> writer.cancelScrub();
      case MetadataCommand.SetAutoRepair c -> writer.autoRepair(c.on());
      case MetadataCommand.SetCommitTimeout c -> writer.commitTimeout(c.timeout());
      case MetadataCommand.GetStatus c -> c.replyTo().tell(writer.status());
      case MetadataCommand.Stop c -> writer.stop(c.deadline(), c.replyTo()::tell);
    }
    return writer.isStopped() ? Behaviors.stopped() : this;
  }
}

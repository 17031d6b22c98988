package io.spared.app.scenario;

import io.spared.device.DeviceCommand;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;

/**
 * A frontend within the daemon: hosts a queue on a ring, writes blocks one by one, reads each back,
 * and leaves; or crashes in the middle of that, where it is told to.
 */
final class InProcessClient extends AbstractBehavior<InProcessClient.Command> implements QueueHost {
  private static final int BLOCK_BYTES = 4096;

  /** What it is told. */
  sealed interface Command {}

  private record Opening(DeviceCommand.QueueOpening answer) implements Command {}

  private record FromDevice(QueueCommand command) implements Command {}

  private enum Note implements Command {
    COMPLETIONS
  }

  private final Engine engine;
  private final int blocks;
  private final int version;
  private final int crashAt;
  private final CompletableFuture<String> done;
  private @Nullable DeviceQueue queue;
  private @Nullable IoBuffer buffer;
  private String trouble = "";
  private int steps;
  private boolean closed;

  /**
   * @param crashAt the step at which it crashes, never when negative
   * @param done gets what went wrong, or nothing
   */
  static Behavior<Command> create(
      ActorRef<DeviceCommand> device,
      Engine engine,
      int blocks,
      int version,
      int crashAt,
      CompletableFuture<String> done) {
    return Behaviors.setup(context -> {
      InProcessClient client = new InProcessClient(context, engine, blocks, version, crashAt, done);
      device.tell(
          new DeviceCommand.OpenQueue(
              "in-process",
              context.messageAdapter(QueueCommand.class, FromDevice::new),
              context.messageAdapter(DeviceCommand.QueueOpening.class, Opening::new)));
      return client;
    });
  }

  private InProcessClient(
      ActorContext<Command> context,
      Engine engine,
      int blocks,
      int version,
      int crashAt,
      CompletableFuture<String> done) {
    super(context);
    this.engine = engine;
    this.blocks = blocks;
    this.version = version;
    this.crashAt = crashAt;
    this.done = done;
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::on)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Opening opening -> {
        switch (opening.answer()) {
          case DeviceCommand.QueueOpening.Opened opened -> open(opened.context());
          case DeviceCommand.QueueOpening.NotOpened not -> {
            trouble = not.sentence();
            closed = true;
          }
        }
      }
      case FromDevice from -> {
        if (queue != null) {
          queue.handle(from.command());
        }
      }
      case Note note -> {
        if (queue != null) {
          queue.completionsReady();
        }
      }
    }
    return closed ? Behaviors.stopped() : this;
  }

  private void open(QueueContext context) {
    ActorRef<Command> self = getContext().getSelf();
    queue = new DeviceQueue(context, engine, () -> self.tell(Note.COMPLETIONS), this);
    buffer = engine.buffers().take(BLOCK_BYTES);
    step();
  }

  private void step() {
    DeviceQueue q = queue;
    IoBuffer bytes = buffer;
    if (q == null || bytes == null || steps >= 2 * blocks || !trouble.isEmpty()) {
      if (q != null) {
        q.drain();
      }
      return;
    }
    DeviceRequest request = q.newRequest();
    if (request == null) {
      trouble = "no request is free";
      q.drain();
      return;
    }
    int block = steps % blocks;
    long offset = (long) block * BLOCK_BYTES;
    if (steps < blocks) {
      bytes.bytes().clear().put(content(block));
      q.submit(request.write(offset, BLOCK_BYTES, bytes, 0, false));
    } else {
      q.submit(request.read(offset, BLOCK_BYTES, bytes, 0));
    }
    if (steps == crashAt) {
      throw new IllegalStateException("a client that was told to crash");
    }
  }

  private ByteBuffer content(int block) {
    return Trial.block(block, version);
  }

  @Override
  public void completed(DeviceRequest request) {
    DeviceQueue q = queue;
    IoBuffer bytes = buffer;
    if (q == null || bytes == null) {
      return;
    }
    if (request.errno() != null) {
      trouble = "step " + steps + " failed: " + request.errno();
    } else if (steps >= blocks
        && !bytes.bytes().clear().limit(BLOCK_BYTES).equals(content(steps - blocks))) {
      trouble = "block " + (steps - blocks) + " reads wrong";
    }
    steps++;
    q.recycle(request);
    step();
  }

  @Override
  public void closed() {
    closed = true;
    queue = null;
  }

  private Behavior<Command> stopped() {
    DeviceQueue q = queue;
    IoBuffer bytes = buffer;
    buffer = null;
    if (q != null) {
      q.abandon();
      q.hostEnded();
    }
    if (bytes != null) {
      bytes.release();
    }
    done.complete(trouble);
    return this;
  }
}

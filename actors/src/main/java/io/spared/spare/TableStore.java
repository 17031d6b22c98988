package io.spared.spare;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.CopyLayout;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.format.SpareTable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads and writes the three tables of one spare, as messages: each step ends in a signal, after
 * which the owner calls {@link #answered}.
 *
 * <p>Writing goes from one copy to the next, each durable before the next is touched, so at any
 * moment two of three are whole. A copy whose write was abandoned to the kernel takes no more
 * writes until that write has ended: an old table must not land on a newer one. A version counts
 * when two copies hold it.
 */
final class TableStore {
  private static final int WRITES_NEEDED = 2;

  private final Engine engine;
  private final DiskPort port;
  private final long diskBytes;
  private final long timeoutNanos;
  private final Completions completions;
  private final Set<Integer> heldCopies = new HashSet<>();
  private @Nullable Step step;
  private Optional<ByteBuffer> firstUnit = Optional.empty();

  /** What is going on. */
  private sealed interface Step {}

  private static final class Reading implements Step {
    final List<SpareTable.Found> found = new ArrayList<>();
    final Consumer<SpareTable.Choice> whenDone;
    int copy;
    int lengthBytes = CopyLayout.UNIT_BYTES;

    Reading(Consumer<SpareTable.Choice> whenDone) {
      this.whenDone = whenDone;
    }
  }

  /** Looks whether anything stands where the tables of a new spare would, or a label of a main. */
  private static final class Looking implements Step {
    final ArrayDeque<Long> offsetsBytes = new ArrayDeque<>();
    final Consumer<Optional<String>> whenDone;

    Looking(Consumer<Optional<String>> whenDone) {
      this.whenDone = whenDone;
    }
  }

  private static final class Writing implements Step {
    final SpareTable table;
    final Consumer<Written> whenDone;
    final List<String> failures = new ArrayList<>();
    int copy;
    int written;

    Writing(SpareTable table, Consumer<Written> whenDone) {
      this.table = table;
      this.whenDone = whenDone;
    }
  }

  /**
   * What writing came to.
   *
   * @param durable two copies or more hold the new version
   * @param untouched nothing of it can be on the disk: the version may be used again
   */
  record Written(boolean durable, boolean untouched, List<String> failures) {
    Written {
      failures = List.copyOf(failures);
    }
  }

  TableStore(Engine engine, DiskPort port, long diskBytes, long timeoutNanos, Runnable signal) {
    this.engine = engine;
    this.port = port;
    this.diskBytes = diskBytes;
    this.timeoutNanos = timeoutNanos;
    this.completions = new Completions(signal);
  }

  boolean isBusy() {
    return step != null;
  }

  void read(Consumer<SpareTable.Choice> whenDone) {
    Reading reading = new Reading(whenDone);
    firstUnit = Optional.empty();
    step = reading;
    submitRead(reading);
  }

  /**
   * What stood at the beginning of the disk when it was read last; empty when it cannot be read.
   */
  Optional<ByteBuffer> firstUnit() {
    return firstUnit;
  }

  void write(SpareTable table, Consumer<Written> whenDone) {
    Writing writing = new Writing(table, whenDone);
    step = writing;
    submitWrite(writing);
  }

  /** Tells what speaks against making this disk a spare, if anything does. */
  void look(Consumer<Optional<String>> whenDone) {
    Looking looking = new Looking(whenDone);
    for (int copy = 0; copy < SpareTable.COPIES; copy++) {
      looking.offsetsBytes.add(SpareTable.offsetBytes(copy, diskBytes));
    }
    looking.offsetsBytes.add(MainLabel.offsetBytes(diskBytes));
    step = looking;
    submitLook(looking);
  }

  private void submitLook(Looking looking) {
    Long at = looking.offsetsBytes.peek();
    if (at == null) {
      step = null;
      looking.whenDone.accept(Optional.empty());
      return;
    }
    IoBuffer buffer = engine.buffers().take(CopyLayout.UNIT_BYTES);
    if (buffer == null) {
      step = null;
      looking.whenDone.accept(Optional.of("there is no memory to read it; try again"));
      return;
    }
    port.submit(
        new IoRequest(completions)
            .transfer(
                IoRequest.Operation.READ,
                at,
                buffer,
                0,
                CopyLayout.UNIT_BYTES,
                engine.nanoTime() + timeoutNanos)
            .attach(buffer));
  }

  private void lookEnded(Looking looking, IoRequest request, IoRequest.Outcome outcome) {
    if (outcome != IoRequest.Outcome.DONE || !(request.attachment() instanceof IoBuffer buffer)) {
      step = null;
      looking.whenDone.accept(
          Optional.of("it cannot be read at byte " + request.offsetBytes() + "; use another disk"));
      return;
    }
    ByteBuffer bytes = buffer.bytes().duplicate().clear().limit(CopyLayout.UNIT_BYTES);
    while (bytes.hasRemaining()) {
      if (bytes.get() != 0) {
        step = null;
        looking.whenDone.accept(
            Optional.of(
                "it is not empty, something stands at byte "
                    + request.offsetBytes()
                    + "; wipe it first if nobody needs it"));
        return;
      }
    }
    looking.offsetsBytes.remove();
    submitLook(looking);
  }

  private void submitRead(Reading reading) {
    IoBuffer buffer = engine.buffers().take(reading.lengthBytes);
    if (buffer == null) {
      reading.found.add(
          new SpareTable.Found(reading.copy, Optional.empty(), "no memory to read it"));
      nextRead(reading);
      return;
    }
    port.submit(
        new IoRequest(completions)
            .transfer(
                IoRequest.Operation.READ,
                SpareTable.offsetBytes(reading.copy, diskBytes),
                buffer,
                0,
                reading.lengthBytes,
                engine.nanoTime() + timeoutNanos)
            .attach(buffer));
  }

  private void submitWrite(Writing writing) {
    if (heldCopies.contains(writing.copy)) {
      writing.failures.add(
          "table " + writing.copy + ": an earlier write to it has not ended in the kernel");
      nextWrite(writing);
      return;
    }
    ByteBuffer bytes = writing.table.write(writing.copy);
    IoBuffer buffer = engine.buffers().take(bytes.remaining());
    if (buffer == null) {
      writing.failures.add("table " + writing.copy + ": no memory to write it");
      nextWrite(writing);
      return;
    }
    int lengthBytes = bytes.remaining();
    buffer.bytes().duplicate().clear().put(bytes);
    port.submit(
        new IoRequest(completions)
            .transfer(
                IoRequest.Operation.WRITE,
                SpareTable.offsetBytes(writing.copy, writing.table.diskBytes()),
                buffer,
                0,
                lengthBytes,
                engine.nanoTime() + timeoutNanos)
            .durable()
            .attach(buffer));
    // The engine holds the buffer for as long as the kernel may read it.
  }

  /** Takes what has ended and goes on. */
  void answered() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      IoRequest.Outcome outcome = completions.lastOutcome();
      if (outcome == IoRequest.Outcome.RELEASED) {
        released(request);
        continue;
      }
      Step now = step;
      if (now instanceof Reading reading) {
        readEnded(reading, request, outcome);
      } else if (now instanceof Writing writing) {
        writeEnded(writing, request, outcome);
      } else if (now instanceof Looking looking) {
        lookEnded(looking, request, outcome);
      }
      if (request.attachment() instanceof IoBuffer buffer) {
        buffer.release();
      }
    }
  }

  private void released(IoRequest request) {
    for (int copy = 0; copy < SpareTable.COPIES; copy++) {
      if (request.operation() == IoRequest.Operation.WRITE
          && request.offsetBytes() == SpareTable.offsetBytes(copy, diskBytes)) {
        heldCopies.remove(copy);
      }
    }
  }

  private void readEnded(Reading reading, IoRequest request, IoRequest.Outcome outcome) {
    int copy = reading.copy;
    if (outcome != IoRequest.Outcome.DONE || !(request.attachment() instanceof IoBuffer buffer)) {
      Errno errno = request.errno();
      reading.found.add(
          new SpareTable.Found(
              copy,
              Optional.empty(),
              "spare's table "
                  + copy
                  + " cannot be read: "
                  + (errno == null ? "the disk does not answer" : errno.meaning())));
      nextRead(reading);
      return;
    }
    ByteBuffer bytes = ByteBuffer.allocate(reading.lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(buffer.bytes().duplicate().clear().limit(reading.lengthBytes)).flip();
    if (copy == 0) {
      firstUnit = Optional.of(bytes.duplicate().limit(CopyLayout.UNIT_BYTES));
    }
    int claimed = SpareTable.claimedBytes(bytes);
    if (claimed > reading.lengthBytes && claimed <= SpareTable.BYTES_MAX) {
      reading.lengthBytes = claimed;
      submitRead(reading);
      return;
    }
    try {
      reading.found.add(
          new SpareTable.Found(
              copy,
              Optional.of(
                  SpareTable.read(bytes, copy, SpareTable.offsetBytes(copy, diskBytes), diskBytes)),
              ""));
    } catch (FormatException damaged) {
      reading.found.add(new SpareTable.Found(copy, Optional.empty(), damaged.sentence()));
    }
    nextRead(reading);
  }

  private void nextRead(Reading reading) {
    reading.copy++;
    reading.lengthBytes = CopyLayout.UNIT_BYTES;
    if (reading.copy < SpareTable.COPIES) {
      submitRead(reading);
    } else {
      step = null;
      reading.whenDone.accept(SpareTable.choose(reading.found));
    }
  }

  private void writeEnded(Writing writing, IoRequest request, IoRequest.Outcome outcome) {
    if (outcome == IoRequest.Outcome.DONE) {
      writing.written++;
    } else {
      if (request.held()) {
        heldCopies.add(writing.copy);
      }
      Errno errno = request.errno();
      writing.failures.add(
          "table "
              + writing.copy
              + ": "
              + (errno == null ? "the disk does not answer" : errno.meaning()));
    }
    nextWrite(writing);
  }

  private void nextWrite(Writing writing) {
    writing.copy++;
    if (writing.copy < SpareTable.COPIES) {
      submitWrite(writing);
    } else {
      step = null;
      writing.whenDone.accept(
          new Written(
              writing.written >= WRITES_NEEDED,
              writing.written == 0 && heldCopies.isEmpty(),
              writing.failures));
    }
  }
}

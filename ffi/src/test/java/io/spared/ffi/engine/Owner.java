package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An owner of requests in a test: collects ends, and turns the engine until there are enough. */
public final class Owner {
  /** One end of one request, as it stood when its owner looked. */
  public record End(IoRequest request, Outcome outcome) {}

  private static final long PATIENCE_NANOS = 20_000_000_000L;

  private final Engine engine;
  private final List<End> ends = new ArrayList<>();
  private final Set<Integer> claimed = new HashSet<>();
  private int signals;
  private final Completions completions = new Completions(() -> signals++);

  public Owner(Engine engine) {
    this.engine = engine;
  }

  public IoRequest request() {
    return new IoRequest(completions);
  }

  public long soon() {
    return engine.nanoTime() + PATIENCE_NANOS;
  }

  public IoRequest transfer(
      Operation operation, long offsetBytes, IoBuffer buffer, int lengthBytes) {
    return request().transfer(operation, offsetBytes, buffer, 0, lengthBytes, soon());
  }

  public IoRequest plain(Operation operation, long offsetBytes, int lengthBytes) {
    return request().plain(operation, offsetBytes, lengthBytes, soon());
  }

  public IoBuffer buffer(int bytes) {
    IoBuffer buffer = engine.buffers().take(bytes);
    if (buffer == null) {
      throw new AssertionError("the slab is used up");
    }
    return buffer;
  }

  /** All ends so far. */
  public List<End> ends() {
    collect();
    return ends;
  }

  public int signals() {
    return signals;
  }

  private void collect() {
    IoRequest request = completions.next();
    while (request != null) {
      ends.add(new End(request, completions.lastOutcome()));
      request = completions.next();
    }
  }

  /** Turns until so many ends were seen. */
  public List<End> await(int count) {
    long until = engine.nanoTime() + PATIENCE_NANOS;
    IoRequest patience = new IoRequest(new Completions(() -> {}));
    engine.timer(patience.plain(Operation.NOTHING, 0, 0, until + 1));
    collect();
    while (ends.size() < count) {
      assertThat(engine.nanoTime()).as("time to see " + count + " ends").isLessThan(until);
      engine.turn(true);
      collect();
    }
    engine.cancelTimer(patience);
    assertThat(ends).hasSize(count);
    return ends;
  }

  /** Turns until this request has ended once more than was claimed so far, and checks how. */
  public IoRequest awaitOne(IoRequest request, Outcome outcome) {
    long until = engine.nanoTime() + PATIENCE_NANOS;
    IoRequest patience = new IoRequest(new Completions(() -> {}));
    engine.timer(patience.plain(Operation.NOTHING, 0, 0, until + 1));
    End end = claim(request);
    while (end == null) {
      assertThat(engine.nanoTime()).as("time to see the end of " + request).isLessThan(until);
      engine.turn(true);
      end = claim(request);
    }
    engine.cancelTimer(patience);
    assertThat(end.outcome()).as(request.toString()).isEqualTo(outcome);
    return request;
  }

  private @Nullable End claim(IoRequest request) {
    collect();
    for (int i = 0; i < ends.size(); i++) {
      if (ends.get(i).request() == request && claimed.add(i)) {
        return ends.get(i);
      }
    }
    return null;
  }

  public IoRequest done(IoRequest request) {
    return awaitOne(request, Outcome.DONE);
  }
}

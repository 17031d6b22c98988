package io.spared.sim;

import io.spared.ffi.engine.Engine;
import io.spared.ring.Ring;
import io.spared.ring.Rings;
import org.apache.pekko.actor.typed.DispatcherSelector;

/** The rings of a simulated process. */
public final class SimRings implements Rings {
  private final SimProcess process;

  public SimRings(SimProcess process) {
    this.process = process;
  }

  @Override
  public int count() {
    return process.engines().size();
  }

  @Override
  public Ring ring(int index) {
    return new SimRing(index, process.engine(index), SimProcess.dispatcher(index));
  }

  private record SimRing(int index, Engine engine, DispatcherSelector dispatcher) implements Ring {}
}

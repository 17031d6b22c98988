package io.spared.metadata;

import io.spared.ffi.engine.Engine;
import io.spared.ffi.world.World;
import java.util.function.Consumer;

/** What every part of the writer is given, and the two things that all of them look at. */
record WriterContext(
    MetadataSettings settings,
    Engine engine,
    World world,
    Alarms alarms,
    Consumer<MetadataEvent> events,
    WriterRules rules,
    Standing standing,
    History history) {

  long nanoTime() {
    return engine.nanoTime();
  }

  void tell(MetadataEvent event) {
    events.accept(event);
  }
}

package io.spared.ring;

import com.typesafe.config.Config;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;

/** The settings of a ring's dispatcher that are not Pekko's: which engine, and how large. */
record RingSettings(Engines.Choice choice, EngineSettings engine) {
  static RingSettings of(Config config) {
    return new RingSettings(
        Engines.Choice.of(config.getString("engine")),
        new EngineSettings(
            config.getInt("submissions"),
            config.getInt("completions"),
            Math.toIntExact(config.getBytes("slab-chunk")),
            config.getBytes("slab"),
            config.getInt("files"),
            config.getInt("threads-per-disk"),
            config.getBoolean("long-entries")));
  }
}

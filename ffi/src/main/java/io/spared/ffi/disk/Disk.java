package io.spared.ffi.disk;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;

/** An open disk. It may be attached to several engines, each with a port of its own. */
public interface Disk extends AutoCloseable {
  DiskAddress address();

  DiskGeometry geometry();

  DiskIdentity identity();

  /** A port for this engine; called on the engine's thread. */
  DiskPort attach(Engine engine);

  /**
   * Gives the disk up: no port takes requests any more, and the exclusive claim ends when the
   * kernel holds none.
   */
  @Override
  void close();
}

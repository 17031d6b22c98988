package io.spared.app.offline;

import io.spared.app.SystemDisks;
import io.spared.app.config.Addresses;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.world.World;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * The disks that a tool has open. Disks that are to be written, or that nobody else may be writing
 * meanwhile, are owned while they are open, so a disk that is in use is refused by the system
 * itself.
 */
public final class OfflineDisks implements AutoCloseable {
  private static final EngineSettings SMALL = EngineSettings.DEFAULT.withSlab(1 << 20, 16L << 20);

  private static final long LINGERS_NANOS = 2_000_000_000L;
  private static final long LOOK_AGAIN_NANOS = 10_000_000L;

  private final World world = World.real();
  private final Engine engine;
  private final DiskOpener opener;
  private final Map<String, OfflineDisk> open = new LinkedHashMap<>();

  public OfflineDisks() throws IOException {
    this.engine = Engines.open(Engines.Choice.AUTOMATIC, world.clock(), SMALL);
    this.opener = SystemDisks.opener(world, new FaultPlans(world.random().nextLong()));
  }

  public World world() {
    return world;
  }

  /** Opens a disk that is not open yet. */
  public OfflineDisk open(String text, DiskOpener.Mode mode) throws OfflineException {
    DiskAddress address;
    try {
      address = Addresses.parse(text);
    } catch (IllegalArgumentException wrong) {
      throw new OfflineException(String.valueOf(wrong.getMessage()));
    }
    String base = Addresses.base(address);
    if (open.containsKey(base)) {
      throw new OfflineException(base + " is named twice; each disk has one role");
    }
    try {
      OfflineDisk disk = new OfflineDisk(openSoon(address, mode), engine);
      open.put(base, disk);
      return disk;
    } catch (DiskException failure) {
      throw new OfflineException(String.valueOf(failure.getMessage()));
    }
  }

  /**
   * The kernel takes the ring of a program apart after the program has ended, and the disk is in
   * use for as long: the next command of a script comes sooner than that, and waits a moment.
   */
  private Disk openSoon(DiskAddress address, DiskOpener.Mode mode) throws DiskException {
    long end = engine.nanoTime() + LINGERS_NANOS;
    while (true) {
      try {
        return opener.open(address, mode);
      } catch (DiskException failure) {
        if (failure.reason() != DiskException.Reason.LINGERING || engine.nanoTime() > end) {
          throw failure;
        }
        LockSupport.parkNanos(LOOK_AGAIN_NANOS);
      }
    }
  }

  @Override
  public void close() {
    open.values().forEach(OfflineDisk::close);
    engine.close();
  }
}

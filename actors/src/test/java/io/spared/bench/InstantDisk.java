package io.spared.bench;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A disk that has done everything as soon as it is asked: what is left is our own cost. */
final class InstantDisk implements Disk, DiskPort {
  long requests;

  @Override
  public DiskAddress address() {
    return new DiskAddress.OfPath(Path.of("/dev/instant"));
  }

  @Override
  public DiskGeometry geometry() {
    return new DiskGeometry(8L << 40, 512, 4096, 4096, false, true, 0);
  }

  @Override
  public DiskIdentity identity() {
    return new DiskIdentity(
        "instant", Optional.empty(), Optional.empty(), Optional.empty(), List.of(), List.of());
  }

  @Override
  public DiskPort attach(Engine engine) {
    return this;
  }

  @Override
  public void close() {}

  @Override
  public void submit(IoRequest request) {
    requests++;
    request.submitted();
    request.ended(request.lengthBytes(), null, null);
  }

  @Override
  public void cancel(IoRequest request) {}

  @Override
  public void detach() {}

  @Override
  public void whenLeft(Runnable task) {}
}

package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;

/** An engine that moves bytes by descriptors; for disks that are files, inside ffi. */
public interface FileEngine extends Engine {
  /** What a descriptor is open on. */
  enum FileKind {
    BLOCK_DEVICE,
    REGULAR,
    OTHER
  }

  /**
   * A port for this file. The port retains the descriptor until it carries nothing any more.
   *
   * @param baseBytes what is added to the offset of every request
   */
  DiskPort attach(Descriptor file, FileKind kind, long baseBytes);

  /** A port for the whole of this file. */
  default DiskPort attach(Descriptor file, FileKind kind) {
    return attach(file, kind, 0);
  }
}

package io.spared.replacement;

import io.spared.ffi.Errno;

/** What the copier of a disk asks of its device, and tells it. */
public sealed interface CopierRequest {
  /**
   * The queues are to treat these bytes as those being copied; answered by WindowQuiet once none of
   * them has a write in flight there. An empty window asks for nothing and is not answered.
   */
  record SetWindow(CopyWindow window) implements CopierRequest {}

  /** The block cannot be read, or is known to hold unreadable sectors: it is to leave main. */
  record LeaveMain(long block) implements CopierRequest {}

  /** Both disks were flushed after everything below had been copied: the cursor may be recorded. */
  record KeepCursor(long cursorBytes) implements CopierRequest {}

  /** For people. */
  record Progress(CopyProgress progress) implements CopierRequest {}

  /** It waits and tries again; nothing keeps writes waiting meanwhile. Empty: it goes on. */
  record Waits(String sentence) implements CopierRequest {}

  /** Main could not flush: what it held in its cache may be gone. The copier has ended. */
  record MainNotFlushed(Errno errno) implements CopierRequest {}

  /** The new disk cannot take main's place. The copier has ended. */
  record NewDiskFailed(String sentence) implements CopierRequest {}

  /** All is copied, and every write goes to both. The copier has ended. */
  record Done() implements CopierRequest {}
}

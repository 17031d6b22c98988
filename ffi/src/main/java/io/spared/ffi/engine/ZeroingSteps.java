package io.spared.ffi.engine;

import static io.spared.ffi.libc.Abi.FALLOC_FL_KEEP_SIZE;
import static io.spared.ffi.libc.Abi.FALLOC_FL_NO_HIDE_STALE;
import static io.spared.ffi.libc.Abi.FALLOC_FL_PUNCH_HOLE;
import static io.spared.ffi.libc.Abi.FALLOC_FL_ZERO_RANGE;

import io.spared.ffi.engine.FileEngine.FileKind;

/**
 * How a range is discarded or zeroed: fallocate modes in the order to try them, since no mode works
 * on every kernel, device and file system. Writing zeros always works and comes last; a discard is
 * a hint and may end as not supported. A device's own zeroing never unmaps; a file's hole does, and
 * is not made where the range must stay allocated.
 */
final class ZeroingSteps {
  /** Instead of a mode: write the zeros. */
  static final int WRITE_BYTES = -1;

  /** Instead of a mode: nothing is left to try. */
  static final int UNSUPPORTED = -2;

  private static final int PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  private static final int ZERO = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

  private static final int[] DISCARD_DEVICE = {PUNCH | FALLOC_FL_NO_HIDE_STALE, PUNCH, UNSUPPORTED};
  private static final int[] DISCARD_FILE = {PUNCH, UNSUPPORTED};
  private static final int[] ZERO_DEVICE = {ZERO, WRITE_BYTES};
  private static final int[] ZERO_FILE = {ZERO, PUNCH, WRITE_BYTES};
  private static final int[] ZERO_FILE_WITHOUT_HOLES = {ZERO, WRITE_BYTES};
  private static final int[] ZERO_OTHER = {WRITE_BYTES};
  private static final int[] DISCARD_OTHER = {UNSUPPORTED};

  private ZeroingSteps() {}

  /** The mode of this step (from 0), or one of the two words above. */
  static int mode(IoRequest.Operation operation, boolean withoutHoles, FileKind kind, int step) {
    return steps(operation, withoutHoles, kind)[step];
  }

  private static int[] steps(IoRequest.Operation operation, boolean withoutHoles, FileKind kind) {
    boolean discard = operation == IoRequest.Operation.DISCARD;
    return switch (kind) {
      case BLOCK_DEVICE -> discard ? DISCARD_DEVICE : ZERO_DEVICE;
      case REGULAR -> discard ? DISCARD_FILE : withoutHoles ? ZERO_FILE_WITHOUT_HOLES : ZERO_FILE;
      case OTHER -> discard ? DISCARD_OTHER : ZERO_OTHER;
    };
  }
}

package io.spared.ffi.uring;

import java.nio.ByteBuffer;

/** What the kernel said of a ring it made: struct io_uring_params, with offsets into the ring. */
public record UringLayout(
    int submissionEntries,
    int completionEntries,
    int setupFlags,
    int features,
    int submissionHeadAt,
    int submissionTailAt,
    int submissionFlagsAt,
    int submissionArrayAt,
    int completionHeadAt,
    int completionTailAt,
    int completionsAt) {

  static final int PARAMETERS_BYTES = 120;

  static UringLayout of(ByteBuffer parameters) {
    return new UringLayout(
        parameters.getInt(0),
        parameters.getInt(4),
        parameters.getInt(8),
        parameters.getInt(20),
        parameters.getInt(40),
        parameters.getInt(44),
        parameters.getInt(56),
        parameters.getInt(64),
        parameters.getInt(80),
        parameters.getInt(84),
        parameters.getInt(100));
  }

  boolean wideEntries() {
    return (setupFlags & UringNumbers.IORING_SETUP_SQE128) != 0;
  }

  int entryBytes() {
    return wideEntries() ? 128 : 64;
  }

  /** The bytes of the mapping that holds both queues. */
  int mappedRingBytes() {
    return Math.max(
        submissionArrayAt + submissionEntries * 4, completionsAt + completionEntries * 16);
  }
}

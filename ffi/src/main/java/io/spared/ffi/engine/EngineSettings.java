package io.spared.ffi.engine;

/**
 * The sizes of an engine.
 *
 * @param submissions entries of the submission queue, a power of two
 * @param completions entries of the completion queue, a power of two
 * @param slabChunkBytes by how much the slab grows, and its largest buffer; a power of two
 * @param slabBytes how large the slab may become
 * @param files how many files can be registered
 * @param threadsPerDisk how many threads of the threads engine one disk may block
 * @param longEntries whether the ring's entries are long enough for commands of 32 bytes (SQE128)
 */
public record EngineSettings(
    int submissions,
    int completions,
    int slabChunkBytes,
    long slabBytes,
    int files,
    int threadsPerDisk,
    boolean longEntries) {

  public static final EngineSettings DEFAULT =
      new EngineSettings(256, 4096, 4 << 20, 64L << 20, 1024, 16, false);

  public EngineSettings {
    check(Integer.bitCount(submissions) == 1, "submissions", submissions, "a power of two");
    check(Integer.bitCount(completions) == 1, "completions", completions, "a power of two");
    check(
        Integer.bitCount(slabChunkBytes) == 1 && slabChunkBytes >= 64 << 10,
        "slabChunkBytes",
        slabChunkBytes,
        "a power of two, 64 KiB or more");
    check(
        slabBytes >= slabChunkBytes && slabBytes <= 64L << 30,
        "slabBytes",
        slabBytes,
        "between one chunk and 64 GiB");
    check(files >= 1 && files <= 1 << 15, "files", files, "between 1 and 32768");
    check(
        threadsPerDisk >= 1 && threadsPerDisk <= 256,
        "threadsPerDisk",
        threadsPerDisk,
        "between 1 and 256");
  }

  private static void check(boolean holds, String name, long value, String wanted) {
    if (!holds) {
      throw new IllegalArgumentException(name + " is " + value + " but must be " + wanted);
    }
  }

  public EngineSettings withSlab(int chunkBytes, long bytes) {
    return new EngineSettings(
        submissions, completions, chunkBytes, bytes, files, threadsPerDisk, longEntries);
  }

  public EngineSettings withLongEntries() {
    return new EngineSettings(
        submissions, completions, slabChunkBytes, slabBytes, files, threadsPerDisk, true);
  }
}

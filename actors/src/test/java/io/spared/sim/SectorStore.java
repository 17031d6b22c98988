package io.spared.sim;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Bytes of a simulated drive, in chunks that exist once they were written; the rest are zeros. */
final class SectorStore {
  static final int CHUNK_BYTES = 16 << 10;

  private final List<byte @Nullable []> chunks;

  SectorStore(long sizeBytes) {
    int count = (int) ((sizeBytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
    chunks = new ArrayList<>(Collections.<byte @Nullable []>nCopies(count, null));
  }

  private byte[] chunkForWriting(int index) {
    byte[] chunk = chunks.get(index);
    if (chunk == null) {
      chunk = new byte[CHUNK_BYTES];
      chunks.set(index, chunk);
    }
    return chunk;
  }

  void read(long offsetBytes, byte[] target, int targetOffset, int lengthBytes) {
    int done = 0;
    while (done < lengthBytes) {
      long at = offsetBytes + done;
      int within = (int) (at % CHUNK_BYTES);
      int count = Math.min(lengthBytes - done, CHUNK_BYTES - within);
      byte[] chunk = chunks.get((int) (at / CHUNK_BYTES));
      if (chunk == null) {
        Arrays.fill(target, targetOffset + done, targetOffset + done + count, (byte) 0);
      } else {
        System.arraycopy(chunk, within, target, targetOffset + done, count);
      }
      done += count;
    }
  }

  void write(long offsetBytes, byte[] source, int sourceOffset, int lengthBytes) {
    int done = 0;
    while (done < lengthBytes) {
      long at = offsetBytes + done;
      int within = (int) (at % CHUNK_BYTES);
      int count = Math.min(lengthBytes - done, CHUNK_BYTES - within);
      System.arraycopy(
          source, sourceOffset + done, chunkForWriting((int) (at / CHUNK_BYTES)), within, count);
      done += count;
    }
  }

  void zero(long offsetBytes, long lengthBytes) {
    long done = 0;
    while (done < lengthBytes) {
      long at = offsetBytes + done;
      int within = (int) (at % CHUNK_BYTES);
      int count = (int) Math.min(lengthBytes - done, CHUNK_BYTES - within);
      byte[] chunk = chunks.get((int) (at / CHUNK_BYTES));
      if (chunk != null) {
        Arrays.fill(chunk, within, within + count, (byte) 0);
      }
      done += count;
    }
  }

  /** Makes the chunk at this place the same as in the other store. */
  void copyChunkFrom(SectorStore other, int index) {
    byte[] from = other.chunks.get(index);
    chunks.set(index, from == null ? null : from.clone());
  }

  int chunkCount() {
    return chunks.size();
  }

  SectorStore copy() {
    SectorStore result = new SectorStore((long) chunks.size() * CHUNK_BYTES);
    for (int i = 0; i < chunks.size(); i++) {
      result.copyChunkFrom(this, i);
    }
    return result;
  }
}

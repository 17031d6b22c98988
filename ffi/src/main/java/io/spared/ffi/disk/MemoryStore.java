package io.spared.ffi.disk;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The bytes of a memory disk, zero until written. Safe for ports on several threads. */
final class MemoryStore {
  private static final int PIECE_BYTES = 1 << 16;

  private final byte[] @Nullable [] pieces;
  private final long sizeBytes;
  private boolean owned;

  MemoryStore(long sizeBytes) {
    this.sizeBytes = sizeBytes;
    this.pieces = new byte[Math.toIntExact((sizeBytes + PIECE_BYTES - 1) / PIECE_BYTES)][];
  }

  synchronized boolean claim() {
    boolean free = !owned;
    owned = true;
    return free;
  }

  synchronized void unclaim() {
    owned = false;
  }

  boolean contains(long offsetBytes, long lengthBytes) {
    return offsetBytes >= 0 && lengthBytes >= 0 && offsetBytes <= sizeBytes - lengthBytes;
  }

  synchronized void read(long offsetBytes, ByteBuffer to, int at, int lengthBytes) {
    for (int done = 0; done < lengthBytes; ) {
      long offset = offsetBytes + done;
      int within = (int) (offset % PIECE_BYTES);
      int count = Math.min(lengthBytes - done, PIECE_BYTES - within);
      byte[] piece = pieces[(int) (offset / PIECE_BYTES)];
      if (piece == null) {
        for (int i = 0; i < count; i++) {
          to.put(at + done + i, (byte) 0);
        }
      } else {
        to.put(at + done, piece, within, count);
      }
      done += count;
    }
  }

  synchronized void write(long offsetBytes, ByteBuffer from, int at, int lengthBytes) {
    for (int done = 0; done < lengthBytes; ) {
      long offset = offsetBytes + done;
      int within = (int) (offset % PIECE_BYTES);
      int count = Math.min(lengthBytes - done, PIECE_BYTES - within);
      int place = (int) (offset / PIECE_BYTES);
      byte[] piece = pieces[place];
      if (piece == null) {
        piece = new byte[PIECE_BYTES];
        pieces[place] = piece;
      }
      from.get(at + done, piece, within, count);
      done += count;
    }
  }

  synchronized void zero(long offsetBytes, long lengthBytes) {
    for (long done = 0; done < lengthBytes; ) {
      long offset = offsetBytes + done;
      int within = (int) (offset % PIECE_BYTES);
      int count = (int) Math.min(lengthBytes - done, PIECE_BYTES - within);
      int place = (int) (offset / PIECE_BYTES);
      byte[] piece = pieces[place];
      if (piece != null) {
        if (count == PIECE_BYTES) {
          pieces[place] = null;
        } else {
          Arrays.fill(piece, within, within + count, (byte) 0);
        }
      }
      done += count;
    }
  }
}

package io.spared.nbd.transmission;

import org.jspecify.annotations.Nullable;

/** A first-in first-out list of pieces that allocates nothing; a piece is in one list at a time. */
final class Pieces {
  private @Nullable Piece first;
  private @Nullable Piece last;

  void add(Piece piece) {
    piece.next = null;
    Piece end = last;
    if (end == null) {
      first = piece;
    } else {
      end.next = piece;
    }
    last = piece;
  }

  @Nullable Piece peek() {
    return first;
  }

  @Nullable Piece poll() {
    Piece piece = first;
    if (piece != null) {
      first = piece.next;
      piece.next = null;
      if (first == null) {
        last = null;
      }
    }
    return piece;
  }

  boolean isEmpty() {
    return first == null;
  }
}

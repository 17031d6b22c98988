package io.spared.evacuation;

import io.spared.format.RemapEntries;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** The blocks on one spare, as the table stood when the walk began. */
final class BlocksOnSpare implements Iterator<Long> {
  private final RemapEntries.Walk walk;
  private final int spare;
  private boolean found;

  BlocksOnSpare(RemapEntries.Walk walk, int spare) {
    this.walk = walk;
    this.spare = spare;
    advance();
  }

  private void advance() {
    found = walk.next();
    while (found && (walk.isPending() || walk.spare() != spare)) {
      found = walk.next();
    }
  }

  @Override
  public boolean hasNext() {
    return found;
  }

  @Override
  public Long next() {
    if (!found) {
      throw new NoSuchElementException();
    }
    long block = walk.block();
    advance();
    return block;
  }
}

package io.spared.format;

/** A point in a device's history: the last commit of some state. Sequences go on over epochs. */
public record Position(Epoch epoch, long sequence) implements Comparable<Position> {
  public static final Position NONE = new Position(Epoch.NONE, 0);

  /**
   * By epoch counter, then sequence. Two epochs with one counter and different start ids are equal
   * here: {@link CopyChoice} deals with such contradictions before it compares.
   */
  @Override
  public int compareTo(Position other) {
    int byEpoch = Long.compareUnsigned(epoch.counter(), other.epoch.counter());
    return byEpoch != 0 ? byEpoch : Long.compareUnsigned(sequence, other.sequence);
  }

  @Override
  public String toString() {
    return "epoch " + epoch + " sequence " + sequence;
  }
}

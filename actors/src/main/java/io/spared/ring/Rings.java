package io.spared.ring;

/**
 * The rings of this daemon. Their number is fixed at start, near the number of cores, whatever the
 * number of devices.
 */
public interface Rings {
  int count();

  /** The ring of this index, from 0 to {@link #count()} exclusive. */
  Ring ring(int index);
}

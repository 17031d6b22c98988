package io.spared.format;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Where all copies of a device's metadata stand; the copies are numbered from 0. */
public record Placement(CopyLayout layout, List<CopyPlace> places) {
  public static final int COPIES_MIN = 3;
  public static final int COPIES_MAX = 9;

  public Placement {
    places = List.copyOf(places);
    if (places.size() < COPIES_MIN || places.size() > COPIES_MAX || places.size() % 2 == 0) {
      throw new IllegalArgumentException("a device has 3, 5, 7 or 9 copies, not " + places.size());
    }
    for (int i = 0; i < places.size(); i++) {
      if (places.get(i).copy() != i) {
        throw new IllegalArgumentException("place " + i + " is for copy " + places.get(i).copy());
      }
    }
  }

  public int copies() {
    return places.size();
  }

  public int majority() {
    return places.size() / 2 + 1;
  }

  public Set<Integer> spares() {
    return places.stream().map(CopyPlace::spare).collect(Collectors.toSet());
  }

  /** The copy that is meant to stand there. */
  public Optional<CopyPlace> at(int spare, long offsetBytes) {
    return places.stream()
        .filter(place -> place.spare() == spare && place.offsetBytes() == offsetBytes)
        .findFirst();
  }
}

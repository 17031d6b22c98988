package io.spared.discovery;

import io.spared.format.CleanStop;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/**
 * What this host remembers between runs, outside of all devices' disks (in /var/lib/spared). It
 * blocks, so it is called where blocking is allowed, and it never throws: what cannot be read or
 * written is not there. Losing it loses evidence and an alarm against stale spares; that two owners
 * cannot have one device rests on exclusive claims and epochs, not on this.
 */
public interface HostMemory {
  Contents read();

  void remember(Remembered remembered);

  /**
   * Disks that were adopted, for udev: they look like any other disk, and nothing else may mount
   * them. Those that are not named any more stay, since a disk that is away today may be back
   * tomorrow.
   */
  void rememberAdopted(Set<AdoptedDisk> disks);

  /** Whether a person switched automatic activation on or off. */
  void rememberAutomatic(boolean on);

  /**
   * Everything.
   *
   * @param automatic what a person said last about automatic activation
   */
  record Contents(
      Map<UUID, CleanStop> cleanStops,
      Map<UUID, Remembered> remembered,
      Optional<Boolean> automatic) {
    public Contents {
      cleanStops = Map.copyOf(cleanStops);
      remembered = Map.copyOf(remembered);
    }
  }
}

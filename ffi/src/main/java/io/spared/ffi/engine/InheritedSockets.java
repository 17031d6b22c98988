package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Sockets that a service manager passed on (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES). Each is taken
 * once.
 */
public final class InheritedSockets {
  private static final TreeSet<Integer> TAKEN = new TreeSet<>();

  private InheritedSockets() {}

  /** How many were passed on to this process. */
  public static int count() {
    return count(System.getenv(), ProcessHandle.current().pid());
  }

  static int count(Map<String, String> environment, long processId) {
    try {
      String owner = environment.get("LISTEN_PID");
      if (owner == null || Long.parseLong(owner) != processId) {
        return 0;
      }
      return Math.max(0, Integer.parseInt(environment.getOrDefault("LISTEN_FDS", "0")));
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  /**
   * Their names in order (FileDescriptorName= of the .socket unit); "unknown" where there is none.
   */
  public static List<String> names() {
    return names(System.getenv(), ProcessHandle.current().pid());
  }

  static List<String> names(Map<String, String> environment, long processId) {
    int count = count(environment, processId);
    List<String> names = new ArrayList<>(Collections.nCopies(count, "unknown"));
    String given = environment.get("LISTEN_FDNAMES");
    if (given != null) {
      String[] parts = given.split(":", -1);
      for (int i = 0; i < Math.min(count, parts.length); i++) {
        names.set(i, parts[i]);
      }
    }
    return names;
  }

  static Descriptor take(int number, String name) throws IOException {
    synchronized (TAKEN) {
      if (!TAKEN.add(number)) {
        throw new IOException(name + " is in use already; configure another listener");
      }
    }
    return Descriptor.owning(number, name);
  }
}

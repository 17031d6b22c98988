package io.spared.bench;

import java.nio.file.Path;
import java.util.List;

/**
 * How the daemon is started on its own, apart from the machine's, and how it says that it is up.
 */
final class DaemonCommand {
  private DaemonCommand() {}

  /** The daemon with no devices; all that it writes goes below the scratch directory. */
  static List<String> empty(Path program, Path scratch) {
    return List.of(program.toString(), "daemon");
  }

  static boolean isReady(String line) {
    return line.startsWith("spared ready");
  }
}

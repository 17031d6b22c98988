package io.spared.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How the daemon is started on its own, apart from the machine's, and how it says that it is up.
 */
final class DaemonCommand {
  private DaemonCommand() {}

  /** The daemon with no devices; all that it writes goes below the scratch directory. */
  static List<String> empty(Path program, Path scratch) throws IOException {
    Path config = scratch.resolve("spared.conf");
    Files.writeString(
        config,
        """
        spared {
          data-directory = "%1$s/data"
          control.socket = "%1$s/control.sock"
          nbd.listen = ["unix:%1$s/nbd.sock"]
        }
        """
            .formatted(scratch));
    return List.of(program.toString(), "daemon", "--config", config.toString());
  }

  /** The client, asking that daemon how all its devices are. */
  static List<String> status(Path program, Path scratch) {
    return List.of(
        program.toString(),
        "ctl",
        "--socket",
        scratch.resolve("control.sock").toString(),
        "status");
  }

  static boolean isReady(String line) {
    return line.startsWith("spared ready");
  }
}

package io.spared.app;

import io.spared.app.config.ConfigReading;
import io.spared.app.ctl.Ctl;
import io.spared.ublk.UblkTrial;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a start-up cache for the test VM is recorded from: a set-up is created, the daemon serves it
 * and answers, and the trial of the frontend begins. Its argument is a directory for its files.
 */
public final class VmTraining {
  private VmTraining() {}

  public static void main(String[] arguments) throws IOException {
    Path directory = Path.of(arguments[0]);
    Path main = disk(directory.resolve("main"));
    Path spare = disk(directory.resolve("spare"));
    Path socket = directory.resolve("control.sock");
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    String[] create = {
      "create", "trial", "--main", main.toString(), "--spare", spare.toString(), "--force"
    };
    Ctl.run(create, out, out);
    ConfigReading reading =
        ConfigReading.ofText(
            "spared { data-directory = \""
                + directory.resolve("data")
                + "\", control.socket = \""
                + socket
                + "\", nbd.listen = [], devices.trial { main = \"fault:"
                + main
                + "\", spares = [\""
                + spare
                + "\"], frontend = \"ublk\" } }");
    Files.createDirectories(directory.resolve("data"));
    try (Daemon daemon = Daemon.start(Optional.empty(), reading.config().orElseThrow())) {
      for (String command : new String[] {"status", "events", "status trial", "ublk list"}) {
        String[] words = ("--socket " + socket + " " + command).split(" ", -1);
        Ctl.run(words, out, out);
      }
      out.println(daemon);
    }
    UblkTrial.main(new String[] {"--main", main.toString()});
  }

  private static Path disk(Path path) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(64 << 20);
    }
    return path;
  }
}

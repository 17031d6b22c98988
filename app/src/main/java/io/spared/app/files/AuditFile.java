package io.spared.app.files;

import io.spared.monitor.AuditLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The audit log as a file of lines, kept below a bound: at 8 MiB the file becomes the old one. */
public final class AuditFile implements AuditLog {
  private static final Logger log = LoggerFactory.getLogger(AuditFile.class);
  private static final long MOST_BYTES = 8 << 20;

  private final Path file;

  public AuditFile(Path file) {
    this.file = file;
  }

  @Override
  public void write(Instant time, String who, String device, String action, String outcome) {
    String line =
        time
            + " "
            + who
            + " "
            + (device.isEmpty() ? "-" : device)
            + " "
            + oneLine(action)
            + ": "
            + oneLine(outcome)
            + "\n";
    try {
      Path directory = file.toAbsolutePath().getParent();
      if (directory != null) {
        Files.createDirectories(directory);
      }
      if (Files.exists(file) && Files.size(file) > MOST_BYTES) {
        Files.move(
            file,
            file.resolveSibling(file.getFileName() + ".old"),
            StandardCopyOption.REPLACE_EXISTING);
      }
      Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException failed) {
      log.warn("{}: the audit log could not be written ({}): {}", file, failed.getMessage(), line);
    }
  }

  private static String oneLine(String text) {
    return text.replace('\n', ' ').replace('\r', ' ');
  }
}

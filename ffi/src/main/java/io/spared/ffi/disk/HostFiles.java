package io.spared.ffi.disk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Small files of the system (/sys, /proc, /run/udev), below a root that tests may set. */
final class HostFiles {
  private final Path root;

  HostFiles(Path root) {
    this.root = root;
  }

  Path path(String absolute) {
    return root.resolve(absolute.substring(1));
  }

  /** The stripped content; empty when the file is missing, unreadable or blank. */
  Optional<String> text(String absolute) {
    return text(path(absolute));
  }

  Optional<String> text(Path file) {
    try {
      String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
      // Some vendors pad with zeros and spaces.
      String clean = text.replace('\0', ' ').strip();
      return clean.isEmpty() ? Optional.empty() : Optional.of(clean);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  long number(Path file, long otherwise) {
    try {
      return text(file).map(Long::parseLong).orElse(otherwise);
    } catch (NumberFormatException e) {
      return otherwise;
    }
  }

  List<String> lines(String absolute) {
    try {
      return Files.readAllLines(path(absolute), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return List.of();
    }
  }

  /** Names in a directory, sorted; none when it is missing. */
  List<String> names(Path directory) {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        names.add(entry.getFileName().toString());
      }
    } catch (IOException e) {
      return List.of();
    }
    Collections.sort(names);
    return names;
  }
}

package io.spared.ffi.ublk;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The ublk devices that this host has, whoever made them. */
public final class UblkDevices {
  private static final String PREFIX = "ublkc";

  private UblkDevices() {}

  /** Their numbers, in order; none when the directory cannot be read. */
  public static List<Integer> numbers(Path directory) {
    List<Integer> numbers = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, PREFIX + "*")) {
      for (Path file : files) {
        String digits = String.valueOf(file.getFileName()).substring(PREFIX.length());
        if (digits.matches("[0-9]{1,9}")) {
          numbers.add(Integer.valueOf(digits));
        }
      }
    } catch (IOException e) {
      return List.of();
    }
    numbers.sort(null);
    return numbers;
  }
}

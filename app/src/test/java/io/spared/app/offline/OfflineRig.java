package io.spared.app.offline;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.ctl.Ctl;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Disks in files, and the client's own command line on them. */
final class OfflineRig {
  private final Path directory;
  String said = "";

  OfflineRig(Path directory) {
    this.directory = directory;
  }

  int ctl(Object... arguments) {
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    String[] words = new String[arguments.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = arguments[i].toString();
    }
    int code = Ctl.run(words, out, out);
    said = text.toString();
    return code;
  }

  void create(String name, Path main, Path spare) {
    assertThat(ctl("create", name, "--main", main, "--spare", spare, "--copies", "3"))
        .as(said)
        .isZero();
  }

  Path disk(String name, int megabytes) throws IOException {
    Path path = directory.resolve(name);
    Files.write(path, new byte[0]);
    resize(path, megabytes);
    return path;
  }

  static void resize(Path path, int megabytes) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength((long) megabytes << 20);
    }
  }

  static void write(Path disk, long offsetBytes, byte[] bytes) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.seek(offsetBytes);
      file.write(bytes);
    }
  }

  static byte[] read(Path disk, long offsetBytes, int length) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "r")) {
      byte[] bytes = new byte[length];
      file.seek(offsetBytes);
      file.readFully(bytes);
      return bytes;
    }
  }

  /** Refused, in one sentence that says all this, and no byte of any disk is another. */
  void refused(Map<Path, byte[]> before, Object[] arguments, String... parts) throws IOException {
    assertThat(ctl(arguments)).as(said).isNotZero();
    assertThat(said.strip()).contains(parts);
    assertThat(said.strip().lines().count()).as(said).isEqualTo(1);
    for (Map.Entry<Path, byte[]> disk : before.entrySet()) {
      assertThat(ByteBuffer.wrap(Files.readAllBytes(disk.getKey())))
          .as("%s", disk.getKey())
          .isEqualTo(ByteBuffer.wrap(disk.getValue()));
    }
  }

  static Map<Path, byte[]> bytes(Path... disks) throws IOException {
    Map<Path, byte[]> all = new LinkedHashMap<>();
    for (Path disk : disks) {
      all.put(disk, Files.readAllBytes(disk));
    }
    return all;
  }

  static Object[] words(Object... words) {
    return words;
  }
}

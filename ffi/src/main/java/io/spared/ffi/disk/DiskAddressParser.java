package io.spared.ffi.disk;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** Reads disk addresses. */
final class DiskAddressParser {
  private static final int FAULT_DEPTH_MAX = 4;

  private DiskAddressParser() {}

  static DiskAddress parse(String text) {
    return parse(text.strip(), 0);
  }

  private static DiskAddress parse(String text, int depth) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException(
          "an empty disk address; write a path such as /dev/disk/by-id/..., or memory:16M");
    }
    if (text.startsWith("fault:")) {
      if (depth == FAULT_DEPTH_MAX) {
        throw new IllegalArgumentException("more than " + depth + " times fault: in one address");
      }
      return new DiskAddress.OfFault(parse(text.substring("fault:".length()), depth + 1));
    }
    if (text.startsWith("tail:")) {
      return tail(text);
    }
    if (text.startsWith("memory:")) {
      return memory(text);
    }
    if (text.startsWith("nbd:")) {
      String uri = text.substring("nbd:".length());
      if (uri.isEmpty()) {
        throw new IllegalArgumentException(
            "'nbd:' without an address; write nbd:unix:/run/x.sock:name or nbd://host:10809/name");
      }
      return new DiskAddress.OfNbd(uri);
    }
    if (!text.startsWith("/")) {
      int colon = text.indexOf(':');
      throw new IllegalArgumentException(
          colon > 0 && text.indexOf('/') != 0
              ? "'"
                  + text
                  + "' has the unknown kind '"
                  + text.substring(0, colon)
                  + ":'; choose an absolute path, tail:, memory:, nbd: or fault:"
              : "'" + text + "' is not an absolute path; write it from the root, such as /dev/sdb");
    }
    try {
      return new DiskAddress.OfPath(Path.of(text));
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("'" + text + "' cannot be a path: " + e.getReason(), e);
    }
  }

  private static DiskAddress tail(String text) {
    String rest = text.substring("tail:".length());
    int colon = rest.indexOf(':');
    if (colon < 0 || !rest.substring(colon + 1).startsWith("/")) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a tail; write its size and its disk, such as tail:64M:/dev/sdb");
    }
    return new DiskAddress.OfTail(
        new DiskAddress.OfPath(Path.of(rest.substring(colon + 1))),
        ByteSize.parse(rest.substring(0, colon)));
  }

  private static DiskAddress memory(String text) {
    String[] parts = text.substring("memory:".length()).split(",", -1);
    long size = ByteSize.parse(parts[0]);
    int sector = 512;
    String name = "";
    for (int i = 1; i < parts.length; i++) {
      if (parts[i].startsWith("sector=")) {
        String given = parts[i].substring("sector=".length());
        if (!given.equals("512") && !given.equals("4096")) {
          throw new IllegalArgumentException(
              "'" + text + "': a sector has 512 or 4096 bytes, not " + given);
        }
        sector = Integer.parseInt(given);
      } else {
        name = parts[i];
      }
    }
    if (size == 0 || size % sector != 0) {
      throw new IllegalArgumentException(
          "'" + text + "': the size must be a whole number of sectors of " + sector + " bytes");
    }
    return new DiskAddress.OfMemory(size, sector, name);
  }
}

package io.spared.app.config;

import io.spared.ffi.disk.DiskAddress;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Disk addresses as people write them. */
public final class Addresses {
  private static final Pattern MEMORY =
      Pattern.compile("(\\d+)\\s*(k|m|g|t|)i?b?(?:,([A-Za-z0-9_.-]+))?", Pattern.CASE_INSENSITIVE);

  private Addresses() {}

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException with a sentence for people
   */
  public static DiskAddress parse(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("a disk is missing; name its path");
    }
    if (text.startsWith("fault:")) {
      return new DiskAddress.OfFault(parse(text.substring("fault:".length())));
    }
    if (text.startsWith("tail:")) {
      return DiskAddress.parse(text);
    }
    if (text.startsWith("memory:")) {
      String rest = text.substring("memory:".length());
      Matcher matcher = MEMORY.matcher(rest);
      if (!matcher.matches()) {
        throw new IllegalArgumentException(
            text + ": not a size; write for example memory:16M or memory:16M,name");
      }
      int shift =
          switch (matcher.group(2).toLowerCase(Locale.ROOT)) {
            case "k" -> 10;
            case "m" -> 20;
            case "g" -> 30;
            case "t" -> 40;
            default -> 0;
          };
      String name = matcher.group(3);
      return new DiskAddress.OfMemory(
          Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << shift),
          512,
          name == null ? "" : name);
    }
    if (text.startsWith("nbd:")) {
      return new DiskAddress.OfNbd(text.substring("nbd:".length()));
    }
    return new DiskAddress.OfPath(Path.of(text).toAbsolutePath().normalize());
  }

  /** The path or URI below any wrappers: what must not be used twice. */
  public static String base(DiskAddress address) {
    return switch (address) {
      case DiskAddress.OfFault fault -> base(fault.inner());
      case DiskAddress.OfPath path -> path.toString();
      case DiskAddress.OfTail tail -> tail.toString();
      case DiskAddress.OfMemory memory -> memory.toString();
      case DiskAddress.OfNbd nbd -> nbd.toString();
    };
  }
}

package io.spared.ffi.file;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileOwnerAttributeView;
import java.nio.file.attribute.UserPrincipal;

/** Files that are read whole. It blocks, for a bounded number of bytes. */
public final class SmallFile {
  private SmallFile() {}

  /** The file's text, unless it is longer than expected. */
  public static String read(Path path, int bytesMax) throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      byte[] bytes = in.readNBytes(bytesMax + 1);
      if (bytes.length > bytesMax) {
        throw new IOException(path + " is longer than " + bytesMax + " bytes");
      }
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }

  /** Gives a file to another user. */
  public static void giveTo(Path path, String user) throws IOException {
    UserPrincipal principal =
        path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(user);
    Files.getFileAttributeView(path, FileOwnerAttributeView.class).setOwner(principal);
  }
}

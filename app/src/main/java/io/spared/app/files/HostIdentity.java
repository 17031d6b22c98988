package io.spared.app.files;

import io.spared.format.Owner;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** Who this host is: the machine's own identity, which survives reboots and changes of name. */
public final class HostIdentity {
  private static final Path MACHINE_ID = Path.of("/etc/machine-id");

  private HostIdentity() {}

  /** The owner that this host writes into metadata. */
  public static Owner owner(Path dataDirectory) throws IOException {
    return new Owner(hostId(dataDirectory), hostName());
  }

  private static UUID hostId(Path dataDirectory) throws IOException {
    if (Files.isReadable(MACHINE_ID)) {
      String text = Files.readString(MACHINE_ID).strip();
      if (text.matches("[0-9a-fA-F]{32}")) {
        BigInteger bits = new BigInteger(text, 16);
        return new UUID(bits.shiftRight(64).longValue(), bits.longValue());
      }
    }
    // A host without a machine-id (containers): one of our own, made once.
    Path own = dataDirectory.resolve("host-id");
    if (!Files.exists(own)) {
      Files.createDirectories(dataDirectory);
      Files.writeString(own, io.spared.ffi.world.World.real().newUuid() + "\n");
    }
    return UUID.fromString(Files.readString(own).strip());
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException nameless) {
      return "localhost";
    }
  }
}

package io.spared.nbd;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.nbd.NbdRig.Export;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Serves one disk as the NBD export "disk" with the real frontend, queues and rings, and nothing
 * else, until its standard input ends: for clients that are kernels. It says SERVING and ENDED.
 */
public final class NbdTrial {
  private NbdTrial() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new TreeMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i].substring(2), arguments[i + 1]);
    }
    DiskAddress address = DiskAddress.parse(options.getOrDefault("disk", "memory:64M"));
    Path socket = Path.of(options.getOrDefault("socket", "nbd.sock")).toAbsolutePath();
    try (NbdRig rig = serve(address, socket)) {
      System.out.println("SERVING " + rig.uri("disk"));
      System.out.flush();
      while (System.in.read() >= 0) {}
    }
    System.out.println("ENDED");
    System.exit(0);
  }

  private static NbdRig serve(DiskAddress address, Path socket) throws Exception {
    Disk disk = new SystemDiskOpener().open(address, DiskOpener.Mode.OWN);
    return NbdRig.overUnix(socket, Export.of("disk", disk));
  }
}

package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Who uses a block device, as far as this process can see it: mounts of its own mount namespace,
 * swap, devices built on it, whoever claimed it for himself alone, and open files of processes that
 * it may look at.
 *
 * @param who for a sentence, such as "mounted at /mnt"
 * @param lasting whether it goes on until somebody ends it; what is only open may be a look, such
 *     as udev takes at every new device
 */
public record DiskUse(String who, boolean lasting) {

  /** Nothing, when nobody uses it or it is not there. Not for a thread that serves the device. */
  public static Optional<DiskUse> of(Path device) {
    HostFiles files = new HostFiles(Path.of("/"));
    try {
      return of(files, DeviceNode.of(files, device), device).or(() -> claimed(device));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  static Optional<DiskUse> of(HostFiles files, DeviceNode node, Path device) {
    DiskUsers users = new DiskUsers(files);
    List<String> names = new ArrayList<>(node.paths(device));
    names.addAll(node.links());
    return users
        .mountedAt(node.numbers())
        .or(() -> users.mountedFrom(names))
        .map(place -> "mounted at " + place)
        .or(() -> users.isSwap(names) ? Optional.of("swap space") : Optional.empty())
        .or(() -> list("used by ", node.holders()))
        .map(who -> new DiskUse(who, true))
        .or(() ->
            list(
                    "open in ",
                    node.paths(device).stream()
                        .flatMap(path -> users.processesWith(Path.of(path)).stream())
                        .distinct()
                        .toList())
                .map(who -> new DiskUse(who, false)));
  }

  private static Optional<String> list(String how, List<String> users) {
    return users.isEmpty() ? Optional.empty() : Optional.of(how + String.join(", ", users));
  }

  private static Optional<DiskUse> claimed(Path device) {
    try {
      Descriptor.open(device, Abi.O_RDONLY | Abi.O_EXCL).close();
      return Optional.empty();
    } catch (NativeException e) {
      return e.errno() == Errno.EBUSY
          ? Optional.of(new DiskUse("claimed by somebody whom the daemon cannot see", true))
          : Optional.empty();
    }
  }
}

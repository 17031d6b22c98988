package io.spared.discovery;

import java.util.List;

/**
 * All disks of this host, and the files that the configuration names. It reads what the system says
 * of them and opens none. It may block, so it is asked where blocking is allowed.
 */
@FunctionalInterface
public interface DiskCatalog {
  List<BlockDevice> list();
}

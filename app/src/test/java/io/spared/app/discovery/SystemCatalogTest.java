package io.spared.app.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.discovery.BlockDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemCatalogTest {
  @TempDir Path root;

  private void file(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text + "\n");
  }

  private void disk(String name, String number, long sectors) throws IOException {
    file("sys/class/block/" + name + "/dev", number);
    file("sys/class/block/" + name + "/size", Long.toString(sectors));
    file("sys/class/block/" + name + "/ro", "0");
    Files.createDirectories(root.resolve("sys/class/block/" + name + "/holders"));
  }

  private Map<String, BlockDevice> listed(Path... files) {
    return new SystemCatalog(root, List.of(files))
        .list().stream().collect(Collectors.toMap(BlockDevice::kernelName, Function.identity()));
  }

  @Test
  void aDiskIsListedWithItsSizeAndWhatStandsOnIt() throws IOException {
    disk("sdb", "8:16", 2048);
    Files.createDirectories(root.resolve("sys/class/block/sdb/holders/dm-3"));
    file("run/udev/data/b8:16", "S:disk/by-id/x\nE:ID_FS_TYPE=mpath_member");

    BlockDevice sdb = listed().get("sdb");

    assertThat(sdb).isNotNull();
    assertThat(sdb.sizeBytes()).isEqualTo(1 << 20);
    assertThat(sdb.holders()).containsExactly("dm-3");
    assertThat(sdb.fileSystemKind()).contains("mpath_member");
    assertThat(sdb.address().toString()).isEqualTo("/dev/sdb");
  }

  @Test
  void aLoopNamesItsFileAndAMappedDeviceItsIdentifier() throws IOException {
    disk("loop0", "7:0", 8);
    file("sys/class/block/loop0/loop/backing_file", "/d/main.img");
    disk("dm-0", "254:0", 8);
    file("sys/class/block/dm-0/dm/uuid", "mpath-3600");

    assertThat(listed().get("loop0")).isNotNull();
    assertThat(listed().values())
        .anyMatch(device -> device.backingFile().filter("/d/main.img"::equals).isPresent())
        .anyMatch(device -> device.deviceMapperUuid().filter("mpath-3600"::equals).isPresent());
  }

  @Test
  void aConfiguredFileIsListedUnderItsRealPathAndAMissingOneIsNot() throws IOException {
    file("d/main.img", "content");
    Path link = Files.createSymbolicLink(root.resolve("link"), root.resolve("d/main.img"));

    assertThat(listed(link, root.resolve("missing")).values())
        .extracting(BlockDevice::kernelName)
        .containsExactly(root.resolve("d/main.img").toRealPath().toString());
  }

  @Test
  void withoutSysfsNothingIsListed() {
    assertThat(listed()).isEmpty();
  }
}

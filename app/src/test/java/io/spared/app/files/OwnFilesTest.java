package io.spared.app.files;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A host's /proc and /sys as files, with mounts below the temporary directory. */
final class OwnFilesTest {
  private final Path directory;
  private final Path proc;
  private final Path sys;

  OwnFilesTest(@TempDir Path temporary) throws IOException {
    directory = temporary.toRealPath();
    proc = directory.resolve("proc");
    sys = directory.resolve("sys");
    Files.createDirectories(sys.resolve("class/block"));
    Files.createDirectories(sys.resolve("dev/block"));
    Files.createDirectories(proc.resolve("self"));
    Files.writeString(proc.resolve("self/mountinfo"), "");
    disk("sda", "8:0");
    mount("/", "8:0", "/dev/sda");
  }

  private Path disk(String name, String number) throws IOException {
    Path device = Files.createDirectories(sys.resolve("devices").resolve(name));
    Files.createSymbolicLink(sys.resolve("class/block").resolve(name), device);
    Files.createSymbolicLink(sys.resolve("dev/block").resolve(number), device);
    return device;
  }

  private void mount(String at, String number, String source) throws IOException {
    Path file = proc.resolve("self/mountinfo");
    Files.writeString(
        file,
        Files.readString(file)
            + "30 1 "
            + number
            + " / "
            + at.replace(" ", "\\040")
            + " rw,relatime shared:1 - ext4 "
            + source
            + " rw\n");
  }

  private Optional<String> refusal(Path path) {
    return new OwnFiles(proc, sys, number -> number == 3)
        .refusal(Map.of("the data directory", path));
  }

  @Test
  void aDirectoryOnAServedDeviceIsRefused() throws IOException {
    disk("ublkb3", "259:3");
    Path at = Files.createDirectories(directory.resolve("a b"));
    mount(at.toString(), "259:3", "/dev/ublkb3");
    assertThat(refusal(at.resolve("data")))
        .hasValueSatisfying(sentence ->
            assertThat(sentence).contains("the data directory").contains("/dev/ublkb3"));
    assertThat(refusal(directory.resolve("elsewhere"))).isEmpty();
  }

  @Test
  void aPartitionAndADeviceMadeOfOneAreTheSame() throws IOException {
    Path disk = disk("ublkb3", "259:3");
    Path partition = Files.createDirectories(disk.resolve("ublkb3p1"));
    Files.writeString(partition.resolve("partition"), "1");
    Path mapped = disk("dm-0", "253:0");
    Files.createDirectories(mapped.resolve("slaves"));
    Files.createSymbolicLink(mapped.resolve("slaves/ublkb3p1"), partition);
    Path at = Files.createDirectories(directory.resolve("mapped"));
    mount(at.toString(), "253:0", "/dev/mapper/x");
    assertThat(refusal(at)).isPresent();
  }

  @Test
  void aLinkThatLeadsThereIsFollowedWithoutTouchingTheDevice() throws IOException {
    disk("ublkb3", "259:3");
    Path at = Files.createDirectories(directory.resolve("mounted"));
    mount(at.toString(), "259:3", "/dev/ublkb3");
    Files.createSymbolicLink(directory.resolve("link"), Path.of("mounted"));
    assertThat(refusal(directory.resolve("link/data"))).isPresent();
  }

  @Test
  void aLoopDeviceOverAFileThereIsTheSame() throws IOException {
    disk("ublkb3", "259:3");
    Path below = Files.createDirectories(directory.resolve("below"));
    mount(below.toString(), "259:3", "/dev/ublkb3");
    Path loop = disk("loop0", "7:0");
    Files.createDirectories(loop.resolve("loop"));
    Files.writeString(loop.resolve("loop/backing_file"), below.resolve("image") + "\n");
    Path at = Files.createDirectories(directory.resolve("above"));
    mount(at.toString(), "7:0", "/dev/loop0");
    assertThat(refusal(at.resolve("data"))).isPresent();
  }

  @Test
  void anotherProgramsDeviceAndAnotherDiskAreNobodysBusiness() throws IOException {
    disk("ublkb4", "259:4");
    Path at = Files.createDirectories(directory.resolve("other"));
    mount(at.toString(), "259:4", "/dev/ublkb4");
    assertThat(refusal(at.resolve("data"))).isEmpty();
  }

  @Test
  void aLoopDeviceOverAFileOnItselfEnds() throws IOException {
    Path at = Files.createDirectories(directory.resolve("above"));
    Path loop = disk("loop0", "7:0");
    Files.createDirectories(loop.resolve("loop"));
    Files.writeString(loop.resolve("loop/backing_file"), at.resolve("image") + "\n");
    mount(at.toString(), "7:0", "/dev/loop0");
    assertThat(refusal(at.resolve("data"))).isEmpty();
  }
}

package io.spared.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.disk.Disk;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.NbdRig.Export;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a listener stands, who owns its socket, and where it must not stand. */
class NbdListenerTest {
  private static final long DISK_BYTES = 8L << 20;

  @TempDir Path folder;
  private Disk disk;

  @BeforeEach
  void make() throws Exception {
    Path file = folder.resolve("disk");
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(DISK_BYTES);
    }
    disk = new RigDisk(file, DISK_BYTES, 512);
  }

  @AfterEach
  void close() {
    disk.close();
  }

  private NbdRig serve(Endpoint endpoint, boolean insecureAllowed, String configuration)
      throws Exception {
    return new NbdRig(
        List.of(Export.of("disk", disk)),
        new NbdListenerSettings(
            "rig", endpoint, insecureAllowed, TlsSettings.OFF, NbdLimits.DEFAULTS, Map.of()),
        "pekko.loglevel = WARNING\n" + configuration);
  }

  /** A free port of this address. */
  private static Endpoint tcp(int... address) throws Exception {
    byte[] bytes = new byte[address.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) address[i];
    }
    return new Endpoint.Tcp(new InetSocketAddress(InetAddress.getByAddress(bytes), 0));
  }

  private static void assertServes(NbdRig rig) throws Exception {
    Tool.needs("nbdinfo", "libnbd-bin");
    assertThat(Tool.run("nbdinfo", "--size", rig.uri("disk")).succeeded().output().strip())
        .isEqualTo(Long.toString(DISK_BYTES));
  }

  @Test
  void aUnixSocketHasTheModeAndTheOwnerThatItIsToHave() throws Exception {
    Path socket = folder.resolve("nbd.sock");
    String owner = Files.getOwner(folder).getName();
    // Only root can give a socket to somebody else.
    String user = owner.equals("root") ? "nobody" : owner;
    try (NbdRig rig = serve(new Endpoint.Unix(socket, 0640, Optional.of(user)), false, "")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
          .isEqualTo("rw-r-----");
      assertThat(Files.getOwner(socket).getName()).isEqualTo(user);
      assertServes(rig);
    }
  }

  @Test
  void aSocketForAUserWhoDoesNotExistIsNotServed() {
    assertThatThrownBy(() ->
            serve(
                new Endpoint.Unix(folder.resolve("nbd.sock"), 0600, Optional.of("no-such-user")),
                false,
                ""))
        .hasMessageContaining("cannot be given to no-such-user")
        .hasMessageContaining("name a user of this host");
  }

  @Test
  void loopbackIsServedOverTheSixthVersionOfTheProtocolToo() throws Exception {
    assumeTrue(
        Files.exists(Path.of("/proc/net/if_inet6"))
            && Files.readString(Path.of("/proc/net/if_inet6")).contains(" lo"),
        "this host has no IPv6 loopback");
    try (NbdRig rig = serve(tcp(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), false, "")) {
      assertServes(rig);
    }
  }

  @Test
  void anAddressThatOtherHostsReachNeedsTlsOrAnExplicitSetting() throws Exception {
    for (Endpoint endpoint : List.of(tcp(0, 0, 0, 0), tcp(new int[16]))) {
      assertThatThrownBy(() -> serve(endpoint, false, ""))
          .hasMessageContaining("is reached from other hosts, and TLS is not required")
          .hasMessageContaining("insecure-allowed = true");
    }
    try (NbdRig rig = serve(tcp(0, 0, 0, 0), true, "")) {
      assertServes(rig);
      assertThat(rig.warning())
          .hasValueSatisfying(sentence ->
              assertThat(sentence)
                  .contains("is reached from other hosts without TLS")
                  .contains("can read and write the exports"));
    }
  }

  @Test
  void aStaleSocketIsReplacedAndALiveOneOrAnotherFileIsNot() throws Exception {
    Path socket = folder.resolve("nbd.sock");
    Endpoint endpoint = new Endpoint.Unix(socket, 0600, Optional.empty());
    try (NbdRig rig = serve(endpoint, false, "")) {
      assertThatThrownBy(() -> serve(endpoint, false, "")).hasMessageContaining("cannot listen");
      assertServes(rig);
    }
    // What a daemon that was killed leaves behind.
    try (NbdRig rig = serve(endpoint, false, "")) {
      assertServes(rig);
    }
    Path file = Files.writeString(folder.resolve("file"), "somebody's");
    assertThatThrownBy(() -> serve(new Endpoint.Unix(file, 0600, Optional.empty()), false, ""))
        .hasMessageContaining("is not a socket");
    assertThat(Files.readString(file)).isEqualTo("somebody's");
  }

  @Test
  void theEngineOfThreadsServesAsWell() throws Exception {
    Tool.needs("nbdcopy", "libnbd-bin");
    Tool.needs("fio", "fio");
    try (NbdRig rig =
        serve(
            new Endpoint.Unix(folder.resolve("nbd.sock"), 0600, Optional.empty()),
            false,
            "spared.ring.engine = threads\nspared.rings.count = 2")) {
      byte[] bytes = new byte[(int) DISK_BYTES];
      new java.util.Random(4).nextBytes(bytes);
      Path image = Files.write(folder.resolve("image"), bytes);
      Path back = folder.resolve("back");
      Tool.run("nbdcopy", "--flush", image.toString(), rig.uri("disk")).succeeded();
      Tool.run("nbdcopy", rig.uri("disk"), back.toString()).succeeded();
      assertThat(Files.mismatch(image, back)).isEqualTo(-1);
      Tool.run(
              "fio",
              "--name=verify",
              "--ioengine=nbd",
              "--uri=" + rig.uri("disk"),
              "--rw=randwrite",
              "--bsrange=512-256k",
              "--blockalign=512",
              "--size=2m",
              "--numjobs=4",
              "--offset_increment=2m",
              "--iodepth=16",
              "--verify=crc32c",
              "--verify_state_save=0",
              "--do_verify=1",
              "--verify_fatal=1")
          .succeeded();
    }
  }
}

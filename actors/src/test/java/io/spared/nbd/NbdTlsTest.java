package io.spared.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.Disk;
import io.spared.nbd.NbdRig.Export;
import io.spared.nbd.negotiation.TlsMode;
import java.io.RandomAccessFile;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS as clients of other people speak it. */
class NbdTlsTest {
  private static final long DISK_BYTES = 16L << 20;

  @TempDir Path folder;
  private Disk disk;
  private NbdRig rig;

  @BeforeEach
  void serve() throws Exception {
    Tool.needs("nbdinfo", "libnbd-bin");
    Tool.needs("openssl", "openssl");
    authority();
    certificate("server", "localhost");
    certificate("client", "archivist");
    Path file = folder.resolve("disk");
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(DISK_BYTES);
    }
    disk = new RigDisk(file, DISK_BYTES, 512);
    TlsSettings tls =
        new TlsSettings(
            TlsMode.REQUIRED,
            Optional.of(folder.resolve("server-cert.pem")),
            Optional.of(folder.resolve("server-key.pem")),
            Optional.of(folder.resolve("ca-cert.pem")));
    rig =
        NbdRig.overTcp(
            tls,
            NbdLimits.DEFAULTS,
            Map.of("mine", List.of("archivist"), "theirs", List.of("somebody")),
            Export.of("open", disk),
            Export.of("mine", disk),
            Export.of("theirs", disk));
  }

  @AfterEach
  void stop() {
    if (rig != null) {
      rig.close();
    }
    if (disk != null) {
      disk.close();
    }
  }

  private void authority() throws Exception {
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=an authority",
        "-keyout",
        path("ca-key.pem"),
        "-out",
        path("ca-cert.pem"));
  }

  private void certificate(String who, String name) throws Exception {
    Path extensions = folder.resolve(who + ".ext");
    Files.writeString(extensions, "subjectAltName=DNS:" + name + "\n");
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=" + name,
        "-keyout",
        path(who + "-key.pem"),
        "-out",
        path(who + ".csr"));
    openssl(
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        path(who + ".csr"),
        "-CA",
        path("ca-cert.pem"),
        "-CAkey",
        path("ca-key.pem"),
        "-CAcreateserial",
        "-extfile",
        extensions.toString(),
        "-out",
        path(who + "-cert.pem"));
  }

  private String path(String name) {
    return folder.resolve(name).toString();
  }

  private static void openssl(String... arguments) throws Exception {
    List<String> command = new java.util.ArrayList<>(List.of("openssl"));
    command.addAll(List.of(arguments));
    Tool.run(command).succeeded();
  }

  private String uri(String scheme, String export) {
    int port = ((InetSocketAddress) rig.address()).getPort();
    String certificates = scheme.equals("nbds") ? "?tls-certificates=" + folder : "";
    return scheme + "://localhost:" + port + "/" + export + certificates;
  }

  @Test
  void anExportIsServedWithinTlsToAClientWithACertificate() throws Exception {
    String output = Tool.run("nbdinfo", uri("nbds", "mine")).succeeded().output();
    assertThat(output).contains("export-size: " + DISK_BYTES).contains("with TLS");
    Path image = folder.resolve("image");
    Path back = folder.resolve("back");
    byte[] bytes = new byte[(int) DISK_BYTES];
    new java.util.Random(3).nextBytes(bytes);
    Files.write(image, bytes);
    Tool.run("nbdcopy", image.toString(), uri("nbds", "mine")).succeeded();
    Tool.run("nbdcopy", uri("nbds", "mine"), back.toString()).succeeded();
    assertThat(Files.mismatch(image, back)).isEqualTo(-1);
  }

  @Test
  void anExportForOthersIsNeitherServedNorListed() throws Exception {
    assertThat(Tool.run("nbdinfo", uri("nbds", "theirs")).exitCode()).isNotZero();
    String list = Tool.run("nbdinfo", "--list", uri("nbds", "")).succeeded().output();
    assertThat(list).contains("export=\"mine\"").doesNotContain("theirs");
  }

  @Test
  void nothingIsToldWithoutTls() throws Exception {
    assertThat(Tool.run("nbdinfo", uri("nbd", "open")).exitCode()).isNotZero();
  }

  @Test
  void aClientWithoutACertificateIsTurnedAway() throws Exception {
    Files.delete(folder.resolve("client-cert.pem"));
    Files.delete(folder.resolve("client-key.pem"));
    assertThat(Tool.run("nbdinfo", uri("nbds", "open")).exitCode()).isNotZero();
  }
}

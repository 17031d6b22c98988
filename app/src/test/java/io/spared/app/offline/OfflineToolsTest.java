package io.spared.app.offline;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import io.spared.app.ctl.Ctl;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client's tools on files, by its own command line: what they answer and what they change. */
final class OfflineToolsTest {
  @TempDir Path directory;
  private Path main;
  private Path spare;
  private String said = "";

  @BeforeEach
  void twoDisks() throws IOException {
    main = file("main.img", 32);
    spare = file("spare.img", 64);
    Files.write(main, "the old data".getBytes(java.nio.charset.StandardCharsets.UTF_8));
    size(main, 32);
  }

  @Test
  void adoptingChangesNoByteOfMainAndTheDeviceIsHealthy() throws IOException {
    byte[] before = Files.readAllBytes(main);
    assertThat(create()).isZero();
    assertThat(Files.readAllBytes(main)).isEqualTo(before);
    assertThat(ctl("check", spare.toString())).isZero();
    assertThat(said).contains("healthy, copies 3 of 3");
  }

  @Test
  void checkSaysRepairableAfterOneCopyIsDestroyedAndRepairMendsItAndKeepsTheOldBytes()
      throws IOException {
    create();
    assertThat(ctl("corrupt", spare.toString(), "--copies", "1")).isZero();
    assertThat(ctl("check", spare.toString())).isEqualTo(1);
    assertThat(said).contains("repairable");
    Path kept = directory.resolve("kept");
    ctl("repair", spare.toString(), "--yes", "--keep", kept.toString());
    assertThat(kept).exists();
    assertThat(Files.size(kept)).isGreaterThan(4096);
    assertThat(ctl("check", spare.toString())).isZero();
  }

  @Test
  void repairWithoutConsentWritesNothing() throws IOException {
    create();
    ctl("corrupt", spare.toString(), "--copies", "1");
    byte[] before = Files.readAllBytes(spare);
    ctl("repair", spare.toString());
    assertThat(said).contains("--yes");
    assertThat(Files.readAllBytes(spare)).isEqualTo(before);
  }

  @Test
  void allCopiesDestroyedIsUnusableAndNothingIsWritten() throws IOException {
    create();
    ctl("corrupt", spare.toString(), "--copies", "0,1,2");
    byte[] before = Files.readAllBytes(spare);
    assertThat(ctl("check", spare.toString())).isEqualTo(3);
    assertThat(ctl("repair", spare.toString(), "--yes")).isEqualTo(3);
    assertThat(Files.readAllBytes(spare)).isEqualTo(before);
  }

  @Test
  void oneSurvivorNeedsAPersonWhoIsToldWhatMayBeMissing() throws IOException {
    create();
    ctl("corrupt", spare.toString(), "--copies", "0,1");
    assertThat(ctl("check", spare.toString())).isEqualTo(2);
    ctl("repair", spare.toString(), "--yes");
    assertThat(said).contains("--accept-loss").contains("would be missing");
    assertThat(ctl("check", spare.toString())).isEqualTo(2);
    ctl("repair", spare.toString(), "--yes", "--accept-loss", "--keep", directory + "/kept");
    assertThat(ctl("check", spare.toString())).isZero();
  }

  @Test
  void aDeviceThatCannotBeLoadedIsNotDumpedAsOneWithoutRemapsNorExported() throws IOException {
    create();
    assertThat(ctl("dump", spare.toString())).isZero();
    assertThat(said.strip()).isEqualTo("first: no block is remapped or pending");
    assertThat(ctl("dump", main.toString())).isEqualTo(1);
    assertThat(said).contains("no device is found on these disks; name the spare");
    ctl("corrupt", spare.toString(), "--copies", "0,1");
    assertThat(ctl("dump", spare.toString())).isEqualTo(1);
    assertThat(said).contains("cannot be loaded: 1 of 3 copies is readable");
    assertThat(ctl("export", "--main", main.toString(), "--spare", spare.toString())).isEqualTo(1);
    assertThat(said).contains("no device can be loaded").contains("see spared ctl check");
  }

  @Test
  void withJsonCheckAndRepairAnswerWithOneObjectWhoseFieldsCanBeRead() throws IOException {
    create();
    ctl("corrupt", spare.toString(), "--copies", "1");
    assertThat(ctl("--json", "check", spare.toString())).isEqualTo(1);
    Config check = json();
    assertThat(check.getString("first.verdict")).isEqualTo("repairable");
    assertThat(check.getInt("first.copiesCurrent")).isEqualTo(2);
    assertThat(check.getInt("first.copies")).isEqualTo(3);
    String device = check.getString("first.device");
    assertThat(ctl("--json", "repair", spare.toString())).isEqualTo(1);
    assertThat(json().getConfig(device).getStringList("said").toString()).contains("--yes");
    assertThat(ctl("--json", "repair", spare.toString(), "--yes", "--keep", directory + "/kept"))
        .isEqualTo(1);
    assertThat(json().getConfig(device).getStringList("said").toString())
        .contains("repaired; what stood there before");
    assertThat(ctl("check", spare.toString())).isZero();
  }

  private Config json() {
    return ConfigFactory.parseString(
        said, ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON));
  }

  @Test
  void anEvenNumberOfCopiesIsRefusedForWhatItIs() {
    assertThat(
            ctl(
                "create",
                "first",
                "--main",
                main.toString(),
                "--spare",
                spare.toString(),
                "--copies",
                "4"))
        .isEqualTo(1);
    assertThat(said).contains("3, 5, 7 or 9 copies").contains("not 4");
  }

  @Test
  void aSpareCannotBeAMainAndADiskCannotHaveTwoRoles() throws IOException {
    create();
    byte[] before = Files.readAllBytes(spare);
    Path other = file("other.img", 32);
    assertThat(ctl("create", "b", "--main", spare.toString(), "--spare", other.toString()))
        .isEqualTo(1);
    assertThat(said).contains("is a spare already");
    assertThat(ctl("create", "c", "--main", main.toString(), "--spare", main.toString()))
        .isEqualTo(1);
    assertThat(said).contains("named twice");
    assertThat(Files.readAllBytes(spare)).isEqualTo(before);
  }

  @Test
  void twoDevicesMayShareASpare() throws IOException {
    create();
    Path second = file("second.img", 32);
    assertThat(
            ctl(
                "create",
                "second",
                "--main",
                second.toString(),
                "--spare",
                spare.toString(),
                "--copies",
                "3"))
        .isZero();
    assertThat(ctl("check", spare.toString())).isZero();
    assertThat(said).contains("first: healthy").contains("second: healthy");
  }

  @Test
  void aTruncatedSpareIsRecognisedAndNothingIsWritten() throws IOException {
    create();
    size(spare, 20);
    byte[] before = Files.readAllBytes(spare);
    assertThat(ctl("check", spare.toString())).isNotZero();
    assertThat(Files.readAllBytes(spare)).isEqualTo(before);
  }

  @Test
  void aMissingDiskATooSmallOneAndADirectoryAreOneSentenceEach() throws IOException {
    assertThat(ctl("inspect", directory + "/none.img")).isEqualTo(1);
    assertThat(said.lines().count()).isEqualTo(1);
    Path tiny = file("tiny.img", 1);
    assertThat(ctl("create", "t", "--main", main.toString(), "--spare", tiny.toString()))
        .isEqualTo(1);
    assertThat(said).contains("too small").hasLineCount(1);
    assertThat(ctl("inspect", directory.toString())).isEqualTo(1);
    assertThat(said.lines().count()).isEqualTo(1);
  }

  @Test
  void theLabelledFormNeedsAFreeTail() throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(main.toFile(), "rw")) {
      file.seek(file.length() - 100);
      file.write(7);
    }
    byte[] before = Files.readAllBytes(main);
    assertThat(
            ctl(
                "create",
                "l",
                "--main",
                main.toString(),
                "--spare",
                spare.toString(),
                "--labelled",
                "--copies",
                "3"))
        .isEqualTo(1);
    assertThat(said).contains("not empty");
    assertThat(Files.readAllBytes(main)).isEqualTo(before);
    main = file("blank.img", 32);
    assertThat(
            ctl(
                "create",
                "l",
                "--main",
                main.toString(),
                "--spare",
                spare.toString(),
                "--labelled",
                "--copies",
                "3"))
        .isZero();
    assertThat(ctl("inspect", main.toString())).isZero();
    assertThat(said).contains("labelled");
  }

  @Test
  void theExportOfACleanDeviceIsOneLinearSegment() throws IOException {
    create();
    assertThat(ctl("export", "--main", main.toString(), "--spare", spare.toString())).isZero();
    assertThat(said.strip()).isEqualTo("0 65536 linear " + main + " 0");
  }

  @Test
  void anImportFromADiskWithoutDmRemapIsRefused() {
    assertThat(ctl("import", "dm-remap", main.toString(), spare.toString())).isEqualTo(1);
    assertThat(said).contains("no valid metadata of dm-remap");
  }

  @Test
  void withoutADaemonTheExitCodeIsThree() {
    assertThat(ctl("--socket", directory + "/no.sock", "status")).isEqualTo(3);
    assertThat(said).contains("no daemon answers");
  }

  private int create() {
    return ctl(
        "create", "first", "--main", main.toString(), "--spare", spare.toString(), "--copies", "3");
  }

  private int ctl(String... arguments) {
    StringWriter text = new StringWriter();
    PrintWriter out = new PrintWriter(text);
    int code = Ctl.run(arguments, out, out);
    said = text.toString();
    return code;
  }

  private Path file(String name, int megabytes) throws IOException {
    Path path = directory.resolve(name);
    Files.write(path, new byte[0]);
    size(path, megabytes);
    return path;
  }

  private static void size(Path path, int megabytes) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength((long) megabytes << 20);
    }
  }
}

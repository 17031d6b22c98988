package io.spared.ffi.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest.Operation;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DiskAddressTest {
  @Test
  void everyKindIsRead() {
    assertThat(DiskAddress.parse("/dev/sdb"))
        .isEqualTo(new DiskAddress.OfPath(Path.of("/dev/sdb")));
    assertThat(DiskAddress.parse("memory:16M"))
        .isEqualTo(new DiskAddress.OfMemory(16 << 20, 512, ""));
    assertThat(DiskAddress.parse("memory:16M,sector=4096,spare"))
        .isEqualTo(new DiskAddress.OfMemory(16 << 20, 4096, "spare"));
    assertThat(DiskAddress.parse("nbd:unix:/run/x.sock:name"))
        .isEqualTo(new DiskAddress.OfNbd("unix:/run/x.sock:name"));
    assertThat(DiskAddress.parse("fault:memory:1M"))
        .isEqualTo(new DiskAddress.OfFault(new DiskAddress.OfMemory(1 << 20, 512, "")));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/dev/disk/by-id/ata-X",
        "memory:1048576",
        "memory:1048576,sector=4096,a",
        "nbd:nbd://host:10809/name",
        "fault:fault:/x"
      })
  void whatIsPrintedIsReadAgain(String text) {
    assertThat(DiskAddress.parse(text).toString()).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sdb|not an absolute path",
        "iscsi:/x|unknown kind 'iscsi:'",
        "memory:|is not a size",
        "memory:10X|unknown unit",
        "memory:10MB|write 10MiB",
        "memory:1000|whole number of sectors",
        "memory:1M,sector=1024|512 or 4096",
        "nbd:|without an address",
        "fault:|an empty disk address",
        "fault:fault:fault:fault:fault:/x|more than 4 times fault:",
      })
  void whatIsWrongIsSaidInOneSentence(String text, String sentence) {
    assertThatThrownBy(() -> DiskAddress.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(sentence);
  }

  @ParameterizedTest
  @CsvSource({
    "512,512",
    "4K,4096",
    "4KiB,4096",
    "16M,16777216",
    "1 GiB,1073741824",
    "2t,2199023255552"
  })
  void sizesAreRead(String text, long bytes) {
    assertThat(ByteSize.parse(text)).isEqualTo(bytes);
  }

  @Test
  void sizesArePrintedWithTheLargestWholeUnit() {
    assertThat(ByteSize.format(16 << 20)).isEqualTo("16 MiB");
    assertThat(ByteSize.format(1536 << 10)).isEqualTo("1536 KiB");
    assertThat(ByteSize.format(513)).isEqualTo("513 bytes");
  }

  @Test
  void faultsAreReadFromWords() {
    assertThat(FaultRule.parse("read fail=ENODATA range=1M+4K rate=0.5 skip=2 times=3"))
        .isEqualTo(
            FaultRule.of(new FaultRule.Effect.Fail(Errno.ENODATA), Operation.READ)
                .on(1 << 20, 4096)
                .atRate(0.5)
                .trigger(2, 3));
    assertThat(FaultRule.parse("write,flush delay=200ms"))
        .isEqualTo(
            FaultRule.of(
                new FaultRule.Effect.Delay(Duration.ofMillis(200)),
                Operation.WRITE,
                Operation.FLUSH));
    assertThat(FaultRule.parse("any hang").operations())
        .isEqualTo(
            EnumSet.of(
                Operation.READ,
                Operation.WRITE,
                Operation.FLUSH,
                Operation.DISCARD,
                Operation.WRITE_ZEROES));
    for (String text :
        new String[] {
          "any hang",
          "read until-written=EIO range=0+65536",
          "write tear=512:EIO rate=0.25 times=1",
          "read,write fail=ENXIO skip=7"
        }) {
      assertThat(FaultRule.parse(text).toString()).isEqualTo(text);
    }
  }

  @Test
  void aRangeBeyondTheEndOfEveryDiskGoesToTheEnd() {
    assertThat(FaultRule.parse("read fail=EIO range=1M+8191P").toString())
        .isEqualTo("read fail=EIO range=1048576+9222246136947933184");
    FaultRule longest = FaultRule.parse("read fail=EIO range=8191P+8191P");
    assertThat(longest.untilBytes()).isEqualTo(FaultRule.ALWAYS);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "read|is not a fault",
        "reed fail=EIO|is no operation",
        "read fail=EWHAT|is no errno",
        "read range=0+1|does not say what happens",
        "read fail=EIO range=5|not a range",
        "read fail=EIO rate=2|must be in (0, 1]",
        "read explode|is unknown",
        "write tear=99999999999|is more than any write has",
        "read delay=99999999999999999999s|is not a time",
        "read delay=999999999999s|is longer than a day",
        "read delay=-1s|is not a time",
        "read fail=EIO times=99999999999999999999|needs a whole number",
      })
  void wrongFaultsAreRefusedInOneSentence(String text, String sentence) {
    assertThatThrownBy(() -> FaultRule.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(sentence);
  }
}

package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.queue.DeviceRequest;
import io.spared.queue.EndedRequests;
import org.junit.jupiter.api.Test;

class UblkResultsTest {
  private final EndedRequests requests = new EndedRequests();

  @Test
  void aRequestOfWhichEveryByteWasMovedIsItsCount() {
    assertThat(UblkResults.of(requests.read())).isEqualTo(EndedRequests.BYTES);
    assertThat(UblkResults.of(requests.write())).isEqualTo(EndedRequests.BYTES);
    assertThat(UblkResults.of(requests.flush())).isZero();
  }

  /** A kernel takes a lower count for the end of the whole request, and the program reads noise. */
  @Test
  void aReadThatFailedInPartIsNeverACount() {
    DeviceRequest read = requests.readOfALostSector();
    assertThat(read.badOffsetBytes(0)).isPositive();
    assertThat(UblkResults.of(read)).isEqualTo(-Errno.EIO.number());
  }

  @Test
  void aWriteThatFailedInPartIsNeverACount() {
    DeviceRequest write = requests.writeThatIsRefusedInPart();
    assertThat(write.badOffsetBytes(0)).isPositive();
    assertThat(UblkResults.of(write)).isEqualTo(-Errno.ENOSPC.number());
  }
}

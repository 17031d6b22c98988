package io.spared.ffi.ublk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The bytes that the driver sees, written out by hand from its header. */
class UblkEncodingTest {
  @Test
  void controlCommandsHaveTheCodesOfTheDriversHeader() {
    assertThat(ControlCommand.ADD_DEV.encoded()).isEqualTo(0xc0207504);
    assertThat(ControlCommand.DEL_DEV.encoded()).isEqualTo(0xc0207505);
    assertThat(ControlCommand.START_DEV.encoded()).isEqualTo(0xc0207506);
    assertThat(ControlCommand.STOP_DEV.encoded()).isEqualTo(0xc0207507);
    assertThat(ControlCommand.SET_PARAMS.encoded()).isEqualTo(0xc0207508);
    assertThat(ControlCommand.GET_PARAMS.encoded()).isEqualTo(0x80207509);
    assertThat(ControlCommand.START_USER_RECOVERY.encoded()).isEqualTo(0xc0207510);
    assertThat(ControlCommand.END_USER_RECOVERY.encoded()).isEqualTo(0xc0207511);
    assertThat(ControlCommand.GET_DEV_INFO.encoded()).isEqualTo(0x80207502);
    assertThat(ControlCommand.GET_DEV_INFO2.encoded()).isEqualTo(0x80207512);
    assertThat(ControlCommand.GET_FEATURES.encoded()).isEqualTo(0x80207513);
    assertThat(ControlCommand.DEL_DEV_ASYNC.encoded()).isEqualTo(0x80207514);
    assertThat(ControlCommand.UPDATE_SIZE.encoded()).isEqualTo(0xc0207515);
    assertThat(ControlCommand.QUIESCE_DEV.encoded()).isEqualTo(0xc0207516);
    assertThat(ControlCommand.START_DEV.plain()).isEqualTo(6);
    assertThat(ControlCommand.GET_FEATURES.hasPlainCode()).isFalse();
    assertThat(ControlCommand.END_USER_RECOVERY.hasPlainCode()).isTrue();
  }

  @Test
  void aControlCommandsFirstWordHoldsDeviceQueueAndLength() {
    assertThat(ControlCommand.firstWord(3, ControlCommand.NO_QUEUE, 64))
        .isEqualTo(0x0040_FFFF_0000_0003L);
    assertThat(ControlCommand.firstWord(UblkDeviceInfo.ANY_NUMBER, 0, 0)).isEqualTo(0xFFFF_FFFFL);
  }

  @Test
  void ioCommandsHaveTheCodesAndWordsOfTheDriversHeader() {
    assertThat(IoCommands.code(UblkProtocol.UBLK_IO_FETCH_REQ, true)).isEqualTo(0xc0107520);
    assertThat(IoCommands.code(UblkProtocol.UBLK_IO_COMMIT_AND_FETCH_REQ, true))
        .isEqualTo(0xc0107521);
    assertThat(IoCommands.code(UblkProtocol.UBLK_IO_COMMIT_AND_FETCH_REQ, false)).isEqualTo(0x21);
    assertThat(IoCommands.firstWord(1, 0x1234, -5)).isEqualTo(0xFFFF_FFFB_1234_0001L);
    assertThat(IoCommands.firstWord(2, 4095, 4096)).isEqualTo(0x0000_1000_0FFF_0002L);
  }

  @Test
  void userCopyFindsEachRequestsDataAtAnAddressOfItsOwn() {
    assertThat(IoCommands.userCopyOffset(0, 0)).isEqualTo(0x8000_0000L);
    assertThat(IoCommands.userCopyOffset(0, 1)).isEqualTo(0x8200_0000L);
    assertThat(IoCommands.userCopyOffset(1, 0)).isEqualTo(0x200_8000_0000L);
    assertThat(IoCommands.userCopyOffset(3, 4095)).isEqualTo(0x61F_FE00_0000L + 0x8000_0000L);
  }

  @Test
  void deviceInfoIsLaidOutAsTheDriverReadsIt() {
    ByteBuffer bytes = ByteBuffer.allocate(UblkProtocol.DEVICE_INFO_BYTES);
    for (int i = 0; i < bytes.capacity(); i++) {
      bytes.put(i, (byte) 0xAA);
    }
    UblkDeviceInfo info =
        UblkDeviceInfo.wanted(
            7,
            2,
            128,
            1 << 20,
            EnumSet.of(
                UblkFeature.USER_RECOVERY,
                UblkFeature.USER_RECOVERY_REISSUE,
                UblkFeature.CMD_IOCTL_ENCODE,
                UblkFeature.USER_COPY),
            0x1122334455667788L);

    info.encode(bytes);

    assertThat(HexFormat.of().formatHex(bytes.array()))
        .isEqualTo(
            "0200" // nr_hw_queues
                + "8000" // queue_depth
                + "0000" // state
                + "0000"
                + "00001000" // max_io_buf_bytes
                + "07000000" // dev_id
                + "ffffffff" // ublksrv_pid
                + "00000000"
                + "d800000000000000" // flags: bits 3, 4, 6, 7
                + "8877665544332211" // ublksrv_flags
                + "0000000000000000" // owner
                + "00000000000000000000000000000000");
    assertThat(UblkDeviceInfo.decode(bytes)).isEqualTo(info);
  }

  @Test
  void parametersAreLaidOutAsTheDriverReadsThem() {
    ByteBuffer bytes = ByteBuffer.allocate(UblkProtocol.PARAMETERS_BYTES);
    UblkParameters parameters =
        new UblkParameters(
            16 << 20, 512, 4096, 0, 1 << 20, false, true, true, true, 4096, 1 << 30, 64 << 20);

    parameters.encode(bytes);

    assertThat(HexFormat.of().formatHex(bytes.array(), 0, 60))
        .isEqualTo(
            "98000000" // len
                + "03000000" // types: basic, discard
                + "0e000000" // attrs: rotational, volatile cache, FUA
                + "090c0c0c" // shifts: logical, physical, io_opt, io_min
                + "00080000" // max_sectors
                + "00000000" // chunk_sectors
                + "0080000000000000" // dev_sectors
                + "0000000000000000" // virt_boundary_mask
                + "00000000" // discard_alignment
                + "00100000" // discard_granularity
                + "00002000" // max_discard_sectors
                + "00000200" // max_write_zeroes_sectors
                + "01000000"); // max_discard_segments, reserved
    for (int i = 60; i < UblkProtocol.PARAMETERS_BYTES; i++) {
      assertThat(bytes.get(i)).isZero();
    }
    assertThat(UblkParameters.decode(bytes))
        .isEqualTo(
            new UblkParameters(
                16 << 20, 512, 4096, 4096, 1 << 20, false, true, true, true, 4096, 1 << 30,
                64 << 20));
  }

  @Test
  void aDeviceWithoutDiscardSendsNoDiscardParameters() {
    ByteBuffer bytes = ByteBuffer.allocate(UblkProtocol.PARAMETERS_BYTES);

    new UblkParameters(1 << 20, 4096, 4096, 0, 65536, true, false, false, false, 0, 0, 0)
        .encode(bytes);

    bytes.order(ByteOrder.LITTLE_ENDIAN);
    assertThat(bytes.getInt(4)).isEqualTo(1);
    assertThat(bytes.getInt(8)).isEqualTo(1);
    assertThat(bytes.getShort(56)).isZero();
  }

  @Test
  void parametersThatTheDriverWouldRefuseAreRefusedWithAReason() {
    assertThatThrownBy(() ->
            new UblkParameters(1 << 20, 512, 512, 0, 65536, false, false, false, true, 0, 0, 0))
        .hasMessageContaining("volatile cache");
    assertThatThrownBy(() ->
            new UblkParameters(
                (1 << 20) + 512, 4096, 4096, 0, 65536, false, false, false, false, 0, 0, 0))
        .hasMessageContaining("whole sectors");
    assertThatThrownBy(() ->
            new UblkParameters(1 << 20, 512, 512, 0, 65536, false, false, true, true, 0, 1, 0))
        .hasMessageContaining("granularity");
  }

  @Test
  void descriptorsOfEachQueueLieAFixedDistanceApartWhateverTheDepth() {
    assertThat(IoDescriptors.mappedOffsetBytes(0)).isZero();
    assertThat(IoDescriptors.mappedOffsetBytes(1)).isEqualTo(98304);
    assertThat(IoDescriptors.mappedOffsetBytes(5)).isEqualTo(5 * 98304L);
    assertThat(IoDescriptors.mappedBytes(128, 4096)).isEqualTo(4096);
    assertThat(IoDescriptors.mappedBytes(171, 4096)).isEqualTo(8192);
    assertThat(IoDescriptors.mappedBytes(4096, 4096)).isEqualTo(98304);
  }

  @Test
  void aDescriptorSaysWhatWhereAndHowMuch() {
    ByteBuffer bytes = ByteBuffer.allocate(2 * 24).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(24, 1 | 1 << 13).putInt(28, 8).putLong(32, 0x1_0000_0000L);
    IoDescriptors descriptors = new IoDescriptors(bytes, 2);

    assertThat(descriptors.operation(1)).isEqualTo(IoDescriptors.Operation.WRITE);
    assertThat(descriptors.forcedUnitAccess(1)).isTrue();
    assertThat(descriptors.lengthBytes(1)).isEqualTo(4096);
    assertThat(descriptors.startBytes(1)).isEqualTo(0x1_0000_0000L * 512);
    assertThat(descriptors.operation(0)).isEqualTo(IoDescriptors.Operation.READ);
    bytes.putInt(0, 17);
    assertThat(descriptors.operation(0)).isEqualTo(IoDescriptors.Operation.OTHER);
    assertThatThrownBy(() -> descriptors.operation(2))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void featuresKeepTheirBits() {
    assertThat(UblkFeature.of(0x1fe))
        .isEqualTo(EnumSet.range(UblkFeature.URING_CMD_COMP_IN_TASK, UblkFeature.ZONED));
    assertThat(UblkFeature.of(0xfffff)).isEqualTo(EnumSet.allOf(UblkFeature.class));
    assertThat(UblkFeature.bits(Set.of(UblkFeature.QUIESCE))).isEqualTo(1L << 12);
    assertThat(UblkFeature.bits(Set.of(UblkFeature.SHMEM_ZC))).isEqualTo(1L << 19);
  }
}

package io.spared.ffi.ublk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * What a device was made with, and who serves it (struct ublksrv_ctrl_dev_info).
 *
 * @param number N of /dev/ublkbN; {@link #ANY_NUMBER} asks the driver for a free one
 * @param serverProcess the process that serves it, or -1
 * @param tag 64 bits of our own, kept by the driver: by them a later daemon knows its devices
 */
public record UblkDeviceInfo(
    int number,
    int queues,
    int depth,
    int maxIoBytes,
    UblkDeviceState state,
    int serverProcess,
    Set<UblkFeature> features,
    long tag) {

  public static final int ANY_NUMBER = -1;

  public UblkDeviceInfo {
    features = Set.copyOf(features);
  }

  /** What ADD_DEV is given. */
  public static UblkDeviceInfo wanted(
      int number, int queues, int depth, int maxIoBytes, Set<UblkFeature> features, long tag) {
    return new UblkDeviceInfo(
        number, queues, depth, maxIoBytes, UblkDeviceState.DEAD, -1, features, tag);
  }

  public boolean has(UblkFeature feature) {
    return features.contains(feature);
  }

  /** Whether the process that serves it is there, and another than this one. */
  public boolean isServedByLivingProcess() {
    return serverProcess > 0
        && serverProcess != ProcessHandle.current().pid()
        && ProcessHandle.of(serverProcess).map(ProcessHandle::isAlive).orElse(false);
  }

  static UblkDeviceInfo decode(ByteBuffer from) {
    ByteBuffer b = from.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    return new UblkDeviceInfo(
        b.getInt(12),
        Short.toUnsignedInt(b.getShort(0)),
        Short.toUnsignedInt(b.getShort(2)),
        b.getInt(8),
        UblkDeviceState.of(Short.toUnsignedInt(b.getShort(4))),
        b.getInt(16),
        UblkFeature.of(b.getLong(24)),
        b.getLong(32));
  }

  void encode(ByteBuffer to) {
    ByteBuffer b = to.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < UblkProtocol.DEVICE_INFO_BYTES; i++) {
      b.put(i, (byte) 0);
    }
    b.putShort(0, (short) queues);
    b.putShort(2, (short) depth);
    b.putInt(8, maxIoBytes);
    b.putInt(12, number);
    b.putInt(16, serverProcess);
    b.putLong(24, UblkFeature.bits(features));
    b.putLong(32, tag);
  }
}

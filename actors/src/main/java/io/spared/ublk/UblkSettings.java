package io.spared.ublk;

import io.spared.device.DeviceSettings;
import io.spared.ffi.ublk.UblkDeviceInfo;
import java.time.Duration;

/**
 * How a device is to be served.
 *
 * @param number N of /dev/ublkbN, or {@link UblkDeviceInfo#ANY_NUMBER}
 * @param queues how many parallel paths; the driver allows as many as there are processors
 * @param depth requests in each queue at a time, up to 4096
 * @param largestRequestBytes requests larger than this are cut by the kernel
 * @param copying who moves the data between the kernel's pages and the daemon's buffers
 * @param readOnly whether the block device refuses writes
 * @param identity 64 bits by which a later daemon knows the device as this one's, never 0
 * @param startDeadline for adding or recovering, all steps together
 * @param stopDeadline for stopping, until requests are failed
 */
public record UblkSettings(
    int number,
    int queues,
    int depth,
    int largestRequestBytes,
    Copying copying,
    boolean readOnly,
    long identity,
    Duration startDeadline,
    Duration stopDeadline) {

  /** Tags of one queue that the driver can number. */
  public static final int DEPTH_MAX = 4096;

  /** How data get to and from the kernel's pages. */
  public enum Copying {
    /** By the driver where its buffers are affordable, else by the daemon. */
    AUTOMATIC,
    /** By the driver, into a buffer that every tag has for good: fastest, and takes most memory. */
    BY_DRIVER,
    /** By the daemon, into a buffer taken when a request comes (user copy). */
    BY_DAEMON,
    /** Nobody: the disks below move the kernel's pages (zero copy). */
    BY_NOBODY
  }

  public UblkSettings {
    if (number < UblkDeviceInfo.ANY_NUMBER || queues < 1 || depth < 1 || depth > DEPTH_MAX) {
      throw new IllegalArgumentException(
          "a ublk device has a number, at least one queue, and a depth from 1 to " + DEPTH_MAX);
    }
    if (largestRequestBytes < 4096 || largestRequestBytes % 4096 != 0) {
      throw new IllegalArgumentException(
          "the largest request is a multiple of 4096 bytes, not " + largestRequestBytes);
    }
    if (identity == 0) {
      throw new IllegalArgumentException("a device without identity cannot be known again");
    }
  }

  /** Any number, two queues of 128, requests up to 512 KiB. */
  public static UblkSettings standard(long identity) {
    return new UblkSettings(
        UblkDeviceInfo.ANY_NUMBER,
        2,
        128,
        512 << 10,
        Copying.AUTOMATIC,
        false,
        identity,
        Duration.ofSeconds(30),
        Duration.ofSeconds(10));
  }

  /** As a device is configured. */
  public static UblkSettings of(long identity, DeviceSettings.BlockDevice block) {
    return standard(identity)
        .withNumber(block.number())
        .withQueues(block.queues(), block.depth())
        .withLargestRequest(block.requestBytes())
        .withCopying(
            switch (block.copying()) {
              case AUTO -> Copying.AUTOMATIC;
              case DRIVER -> Copying.BY_DRIVER;
              case DAEMON -> Copying.BY_DAEMON;
              case NONE -> Copying.BY_NOBODY;
            });
  }

  public UblkSettings withNumber(int next) {
    return new UblkSettings(
        next,
        queues,
        depth,
        largestRequestBytes,
        copying,
        readOnly,
        identity,
        startDeadline,
        stopDeadline);
  }

  public UblkSettings withQueues(int nextQueues, int nextDepth) {
    return new UblkSettings(
        number,
        nextQueues,
        nextDepth,
        largestRequestBytes,
        copying,
        readOnly,
        identity,
        startDeadline,
        stopDeadline);
  }

  public UblkSettings withCopying(Copying next) {
    return new UblkSettings(
        number,
        queues,
        depth,
        largestRequestBytes,
        next,
        readOnly,
        identity,
        startDeadline,
        stopDeadline);
  }

  public UblkSettings withReadOnly(boolean next) {
    return new UblkSettings(
        number,
        queues,
        depth,
        largestRequestBytes,
        copying,
        next,
        identity,
        startDeadline,
        stopDeadline);
  }

  public UblkSettings withLargestRequest(int nextBytes) {
    return new UblkSettings(
        number, queues, depth, nextBytes, copying, readOnly, identity, startDeadline, stopDeadline);
  }

  public UblkSettings withStopDeadline(Duration next) {
    return new UblkSettings(
        number,
        queues,
        depth,
        largestRequestBytes,
        copying,
        readOnly,
        identity,
        startDeadline,
        next);
  }
}

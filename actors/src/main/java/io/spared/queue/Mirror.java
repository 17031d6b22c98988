package io.spared.queue;

import io.spared.ffi.disk.Disk;
import org.jspecify.annotations.Nullable;

/**
 * How the queues of a device treat main while another disk is to take its place. The cursor walks
 * from the device's beginning to its end; reads go to the old disk until the switch.
 *
 * <p>Kept, for every block that lives on main: a block <em>above</em> the window is only on the old
 * disk. A block <em>in</em> the window has no write in flight, on either disk, from when the queues
 * have said so until the window moves. A write <em>below</em> goes to both disks, after its region
 * was durably recorded ({@link WriteIntents}), and never beside another that overlaps it ({@link
 * WritesOnBoth}). So below the cursor the new disk differs from the old one only where a write went
 * wrong or a crash came between, and then in recorded regions.
 *
 * <p>Why the copier's reading and writing of a window cannot lose a write: one that was in flight
 * when the window came is waited for, so it is read; none begins while it is read and written; one
 * that begins later is below the window, goes to both disks, and reaches the new one after the
 * copy. A write that waits in between (for a fence, a part, a proof) is looked up and judged anew
 * when it goes on. A failed write that is tried again goes to the relocator when the window has
 * reached its block, and the block leaves main. The relocator itself writes to slots only.
 *
 * @param id rises with each change; {@link QueueReport.MirrorReached} names it
 * @param disk the new disk; null when writes are only to be recorded, since it is not there (yet)
 * @param belowBytes writes that begin below go to both
 * @param windowFromBytes what the copier is at; nothing, when both ends are the same
 */
public record Mirror(
    long id,
    @Nullable Disk disk,
    long belowBytes,
    long windowFromBytes,
    long windowToBytes,
    WriteIntents intents) {

  boolean hasWindow() {
    return windowToBytes > windowFromBytes;
  }
}

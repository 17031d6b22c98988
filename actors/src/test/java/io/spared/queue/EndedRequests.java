package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.queue.QueueRig.Client;

/** Requests of two blocks that a queue over simulated drives has ended, for frontends' tests. */
public final class EndedRequests {
  public static final int BYTES = 2 * QueueRig.BLOCK;

  private static final int SECTORS = BYTES / QueueRig.SECTOR;

  private final QueueRig rig = new QueueRig(11);
  private final Client client = rig.open();

  public DeviceRequest read() {
    return ended(client.read(0, SECTORS));
  }

  public DeviceRequest write() {
    return ended(client.write(0, SECTORS, 5));
  }

  public DeviceRequest flush() {
    return ended(client.flush());
  }

  /** One sector of its second block is lost. */
  public DeviceRequest readOfALostSector() {
    rig.move(1, 0, 5, 0b0000_1000);
    return ended(client.read(0, SECTORS));
  }

  /** Its second block takes no write any more. */
  public DeviceRequest writeThatIsRefusedInPart() {
    client.queue.handle(new QueueCommand.Fence(1, 1));
    client.queue.handle(new QueueCommand.RefuseAtFence(1, 1, Errno.ENOSPC));
    return ended(client.write(0, SECTORS, 5));
  }

  private DeviceRequest ended(DeviceRequest request) {
    rig.run();
    if (!client.isDone(request)) {
      throw new AssertionError("not ended: " + request);
    }
    return request;
  }
}

package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import org.jspecify.annotations.Nullable;

/**
 * A driver's file to which commands are given on an engine's ring (ublk). A COMMAND request ends
 * DONE with the driver's number in {@link IoRequest#transferredBytes()}, or FAILED with its errno.
 */
public final class UringCommandPort extends UringPort {
  /** A command waiting for its entry; one object per slot, kept. */
  private static final class Command {
    int number;
    long address;
    int flags;
    int bufferIndex;
    long payloadFirst;
    long payloadSecond;
  }

  private @Nullable Command[] commands = new Command[0];

  UringCommandPort(UringEngine engine, Descriptor file) {
    super(engine, file);
  }

  /**
   * Gives a command.
   *
   * @param request prepared by {@code plain(COMMAND, 0, 0, deadline)}
   * @param command the driver's number for it
   * @param address the entry's address field, whatever the driver makes of it
   * @param flags the entry's flags for commands (IORING_URING_CMD_*)
   * @param bufferIndex the entry's index of a registered buffer
   * @param payloadFirst the first eight bytes of the payload
   * @param payloadSecond the second eight bytes
   */
  public void submit(
      IoRequest request,
      int command,
      long address,
      int flags,
      int bufferIndex,
      long payloadFirst,
      long payloadSecond) {
    if (!take(request)) {
      return;
    }
    Command kept = commandAt(request.engineSlot);
    kept.number = command;
    kept.address = address;
    kept.flags = flags;
    kept.bufferIndex = bufferIndex;
    kept.payloadFirst = payloadFirst;
    kept.payloadSecond = payloadSecond;
    start(request);
  }

  private Command commandAt(int slot) {
    if (slot >= commands.length) {
      commands = java.util.Arrays.copyOf(commands, Math.max(64, Integer.highestOneBit(slot) * 2));
    }
    Command command = commands[slot];
    if (command == null) {
      command = new Command();
      commands[slot] = command;
    }
    return command;
  }

  public void cancel(IoRequest request) {
    engine.cancel(request);
  }

  @Override
  void push(IoRequest request, int slot) {
    Command command = commandAt(slot);
    engine.pushCommand(
        slot,
        entryFlags(),
        file(),
        command.number,
        command.address,
        command.flags,
        command.bufferIndex,
        command.payloadFirst,
        command.payloadSecond);
  }

  @Override
  void completed(IoRequest request, int slot, int result) {
    end(request, Math.max(0, result), result < 0 ? Errno.of(-result) : null, null);
  }
}

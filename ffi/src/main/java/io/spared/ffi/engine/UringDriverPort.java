package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A driver's file on an io_uring. */
final class UringDriverPort extends UringDiskPort implements DriverPort {
  /** A command until its entry is pushed; one object per slot, kept. */
  private static final class Command {
    int code;
    boolean wide;
    long address;
    long first;
    long second;
    long third;
    long fourth;
  }

  private @Nullable Command[] commands = new Command[64];

  UringDriverPort(UringEngine engine, Descriptor file) {
    super(engine, file, FileEngine.FileKind.OTHER, 0);
  }

  @Override
  public void command(IoRequest request, int code, long address, long first, long second) {
    command(request, code, false, address, first, second, 0, 0);
  }

  @Override
  public void command(
      IoRequest request, int code, long first, long second, long third, long fourth) {
    if (!engine.hasLongEntries()) {
      throw new IllegalStateException("this engine was not opened with long entries");
    }
    command(request, code, true, 0, first, second, third, fourth);
  }

  private void command(
      IoRequest request,
      int code,
      boolean wide,
      long address,
      long first,
      long second,
      long third,
      long fourth) {
    if (!take(request)) {
      return;
    }
    Command command = commandAt(request.engineSlot);
    command.code = code;
    command.wide = wide;
    command.address = address;
    command.first = first;
    command.second = second;
    command.third = third;
    command.fourth = fourth;
    start(request);
  }

  private Command commandAt(int slot) {
    if (slot >= commands.length) {
      commands = Arrays.copyOf(commands, Integer.highestOneBit(slot) * 2);
    }
    Command command = commands[slot];
    if (command == null) {
      command = new Command();
      commands[slot] = command;
    }
    return command;
  }

  @Override
  void push(IoRequest request, int slot) {
    if (request.operation() != IoRequest.Operation.COMMAND) {
      super.push(request, slot);
      return;
    }
    Command command = commandAt(slot);
    if (command.wide) {
      engine.pushWideCommand(
          slot,
          entryFlags(),
          file(),
          command.code,
          command.first,
          command.second,
          command.third,
          command.fourth);
    } else {
      engine.pushCommand(
          slot, entryFlags(), file(), command.code, command.address, command.first, command.second);
    }
  }

  @Override
  void completed(IoRequest request, int slot, int result) {
    if (request.operation() == IoRequest.Operation.COMMAND) {
      end(request, Math.max(0, result), result < 0 ? Errno.of(-result) : null, null);
    } else {
      super.completed(request, slot, result);
    }
  }
}

package io.spared.ffi.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.libc.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * One command to the control device, and the memory that its answer is written into. The call is
 * its request's attachment, so that an abandoned one keeps its memory for as long as the kernel may
 * write to it: a call is used once and never again.
 */
public final class ControlCall {
  private static final int MEMORY_BYTES = 192;

  private final ControlCommand command;
  private final int device;
  private final IoRequest request;
  private final ByteBuffer memory;
  private final int lengthBytes;
  private final long data;
  private boolean plain;

  ControlCall(
      Completions completions, ControlCommand command, int device, int lengthBytes, long data) {
    this.command = command;
    this.device = device;
    this.lengthBytes = lengthBytes;
    this.data = data;
    this.memory = Memory.structure(MEMORY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    this.request = new IoRequest(completions).attach(this);
  }

  ControlCommand command() {
    return command;
  }

  /** The command's name as the driver's header has it, for sentences. */
  public String name() {
    return command.name();
  }

  public IoRequest request() {
    return request;
  }

  ByteBuffer memory() {
    return memory;
  }

  int code() {
    return plain ? command.plain() : command.encoded();
  }

  /**
   * Whether the other encoding is worth a try: kernels before 6.4 know only the plain one, later
   * ones may be built without it.
   */
  boolean turnToPlain(Errno errno) {
    if (plain || errno != Errno.EOPNOTSUPP || !command.hasPlainCode()) {
      return false;
    }
    plain = true;
    return true;
  }

  long firstWord() {
    return ControlCommand.firstWord(device, ControlCommand.NO_QUEUE, lengthBytes);
  }

  /** The address of what goes along, or of where the answer goes. */
  long secondWord() {
    return lengthBytes == 0 ? 0 : Memory.address(memory);
  }

  long thirdWord() {
    return data;
  }

  /** What GET_FEATURES brought. */
  public Set<UblkFeature> features() {
    return UblkFeature.of(memory.getLong(0));
  }

  /** What ADD_DEV or GET_DEV_INFO brought. */
  public UblkDeviceInfo info() {
    return UblkDeviceInfo.decode(memory);
  }

  /** What GET_PARAMS brought. */
  public UblkParameters parameters() {
    return UblkParameters.decode(memory);
  }

  @Override
  public String toString() {
    return command + (device < 0 ? "" : " of device " + device);
  }
}

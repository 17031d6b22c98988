package io.spared.ffi.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.engine.DriverPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.NativeException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The driver's control device, on an engine whose entries are long enough for its commands. Every
 * command is a request that ends as requests do, however long the kernel takes: nothing here waits.
 * Used on the engine's thread only.
 */
public final class UblkControl implements AutoCloseable {
  private final Descriptor file;
  private final DriverPort port;
  private final Completions completions;

  private UblkControl(Descriptor file, DriverPort port, Completions completions) {
    this.file = file;
    this.port = port;
    this.completions = completions;
  }

  /** Opens the control device; the commands' ends go to these completions. */
  public static UblkControl open(Path path, DriverEngine engine, Completions completions)
      throws UblkException {
    if (!engine.hasLongEntries()) {
      throw new IllegalArgumentException("ublk's control commands need long submission entries");
    }
    Descriptor file;
    try {
      file = Descriptor.open(path, Abi.O_RDWR);
    } catch (NativeException e) {
      throw new UblkException(sentence(path, e), e.errno());
    }
    return new UblkControl(file, engine.driver(file), completions);
  }

  private static String sentence(Path path, NativeException e) {
    return switch (e.errno()) {
      case ENOENT, ENXIO, ENODEV ->
          path
              + " is missing: load the kernel's ublk driver with 'modprobe ublk_drv' (kernels have"
              + " it since 6.0 where it was built), or serve the device over NBD";
      case EACCES, EPERM ->
          path
              + " may not be opened: block devices are made by root (CAP_SYS_ADMIN), so run the"
              + " daemon as root or serve the device over NBD";
      default -> e.getMessage() == null ? e.toString() : e.getMessage();
    };
  }

  public ControlCall features() {
    return new ControlCall(
        completions, ControlCommand.GET_FEATURES, UblkDeviceInfo.ANY_NUMBER, 8, 0);
  }

  /** Makes a device; the call's {@link ControlCall#info} is what it became. */
  public ControlCall add(UblkDeviceInfo wanted) {
    ControlCall call =
        new ControlCall(
            completions,
            ControlCommand.ADD_DEV,
            wanted.number(),
            UblkProtocol.DEVICE_INFO_BYTES,
            0);
    wanted.encode(call.memory());
    return call;
  }

  public ControlCall setParameters(int device, UblkParameters parameters) {
    ControlCall call =
        new ControlCall(
            completions, ControlCommand.SET_PARAMS, device, UblkProtocol.PARAMETERS_BYTES, 0);
    parameters.encode(call.memory());
    return call;
  }

  public ControlCall parameters(int device) {
    ControlCall call =
        new ControlCall(
            completions, ControlCommand.GET_PARAMS, device, UblkProtocol.PARAMETERS_BYTES, 0);
    // The driver reads from the first word how much it may write.
    call.memory().putInt(0, UblkProtocol.PARAMETERS_BYTES);
    return call;
  }

  public ControlCall info(int device) {
    return new ControlCall(
        completions, ControlCommand.GET_DEV_INFO, device, UblkProtocol.DEVICE_INFO_BYTES, 0);
  }

  /** Ends only once every tag of every queue has been fetched. */
  public ControlCall start(int device) {
    return new ControlCall(
        completions, ControlCommand.START_DEV, device, 0, ProcessHandle.current().pid());
  }

  /** Ends only once the block device is gone, for which its requests must go on being served. */
  public ControlCall stop(int device) {
    return new ControlCall(completions, ControlCommand.STOP_DEV, device, 0, 0);
  }

  /** As {@link #stop}, but EBUSY while somebody has the block device open. */
  public ControlCall stopIfUnused(int device) {
    return new ControlCall(completions, ControlCommand.TRY_STOP_DEV, device, 0, 0);
  }

  /** Ends only once nobody has the character device open or mapped. */
  public ControlCall delete(int device) {
    return new ControlCall(completions, ControlCommand.DEL_DEV, device, 0, 0);
  }

  /** As {@link #delete}, but the driver finishes by itself. */
  public ControlCall deleteLater(int device) {
    return new ControlCall(completions, ControlCommand.DEL_DEV_ASYNC, device, 0, 0);
  }

  /** EBUSY while the dead server's files are not released. */
  public ControlCall startRecovery(int device) {
    return new ControlCall(completions, ControlCommand.START_USER_RECOVERY, device, 0, 0);
  }

  /** Ends only once every tag of every queue has been fetched. */
  public ControlCall endRecovery(int device) {
    return new ControlCall(
        completions, ControlCommand.END_USER_RECOVERY, device, 0, ProcessHandle.current().pid());
  }

  /** Ends what is fetched and leaves the device waiting for its next server. */
  public ControlCall quiesce(int device, long timeoutMillis) {
    return new ControlCall(completions, ControlCommand.QUIESCE_DEV, device, 0, timeoutMillis);
  }

  public ControlCall updateSize(int device, long sizeBytes) {
    return new ControlCall(
        completions, ControlCommand.UPDATE_SIZE, device, 0, sizeBytes >> UblkProtocol.SECTOR_SHIFT);
  }

  /** Sends it. The deadline is in the engine's time. */
  public void submit(ControlCall call, long deadlineNanos) {
    call.request().plain(IoRequest.Operation.COMMAND, 0, 0, deadlineNanos);
    port.command(
        call.request(),
        call.code(),
        call.firstWord(),
        call.secondWord(),
        call.thirdWord(),
        ControlCommand.FOURTH_WORD);
  }

  /**
   * Looks at a call that has ended: true when the kernel wants the other encoding, in which the
   * call is on its way again.
   */
  public boolean sentAgain(ControlCall call) {
    @Nullable Errno errno = call.request().errno();
    if (errno == null || !call.turnToPlain(errno)) {
      return false;
    }
    submit(call, call.request().deadlineNanos());
    return true;
  }

  public void cancel(ControlCall call) {
    port.cancel(call.request());
  }

  @Override
  public void close() {
    port.detach();
    file.close();
  }
}

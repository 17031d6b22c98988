package io.spared.queue;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** What one queue knows of a replacement under way: {@link Mirror} says what it has to keep. */
final class Mirroring {
  /** What becomes of a piece of a write or discard on main. */
  enum Verdict {
    MAIN_ONLY,
    BOTH,
    /** A discard below promises nothing, so it is left out on both disks. */
    NEITHER,
    /** The copier is at it: it waits for the window to move. */
    IN_WINDOW,
    /** Its region is not recorded yet: it waits for that. */
    UNRECORDED
  }

  private final Engine engine;
  final ArrayDeque<DeviceRequest> waitForWindow = new ArrayDeque<>();
  final ArrayDeque<DeviceRequest> waitForRecord = new ArrayDeque<>();

  /** Null nearly always. */
  @Nullable Mirror now;

  private @Nullable DiskPort port;
  private int maxTransferBytes;

  /** The queue has yet to say that nothing is in flight in the window. */
  boolean unreached;

  Mirroring(Engine engine) {
    this.engine = engine;
  }

  /** The new disk's port; null when there is none, or when it failed here. */
  @Nullable DiskPort port() {
    return port;
  }

  int maxTransferBytes() {
    return maxTransferBytes;
  }

  void set(Mirror next) {
    Mirror before = now;
    now = next;
    unreached = true;
    if (before == null || before.disk() != next.disk()) {
      detach();
      if (next.disk() != null) {
        port = next.disk().attach(engine);
        int most = next.disk().geometry().maxTransferBytes();
        maxTransferBytes = most > 0 ? most : Integer.MAX_VALUE;
      }
    }
  }

  void off() {
    now = null;
    unreached = false;
    detach();
  }

  void detach() {
    DiskPort attached = port;
    if (attached != null) {
      attached.detach();
      port = null;
    }
  }

  /** Judges the first piece of what lies on main from here, and shortens it to one judgement. */
  Verdict judge(Mirror mirror, long fromBytes, Cut cut, boolean discards) {
    if (mirror.hasWindow() && fromBytes < mirror.windowToBytes()) {
      if (fromBytes >= mirror.windowFromBytes()) {
        return Verdict.IN_WINDOW;
      }
      cut.endBytes = Math.min(cut.endBytes, mirror.windowFromBytes());
    }
    if (fromBytes >= mirror.belowBytes()) {
      return Verdict.MAIN_ONLY;
    }
    cut.endBytes = Math.min(cut.endBytes, mirror.belowBytes());
    if (discards) {
      return Verdict.NEITHER;
    }
    WriteIntents intents = mirror.intents();
    cut.endBytes = Math.min(cut.endBytes, intents.endOf(fromBytes));
    if (!intents.isDurable(intents.regionOf(fromBytes))) {
      return Verdict.UNRECORDED;
    }
    return port == null ? Verdict.MAIN_ONLY : Verdict.BOTH;
  }

  /** Whether a write to main there, tried again, would not be a matter of main alone. */
  boolean concerns(long fromBytes, long toBytes) {
    Mirror mirror = now;
    if (mirror == null) {
      return false;
    }
    boolean inWindow = fromBytes < mirror.windowToBytes() && toBytes > mirror.windowFromBytes();
    WriteIntents intents = mirror.intents();
    return inWindow
        || (fromBytes < mirror.belowBytes()
            && (port != null || !intents.isDurable(intents.regionOf(fromBytes))));
  }
}

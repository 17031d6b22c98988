package io.spared.ffi.libc;

import io.spared.ffi.Errno;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An open file, socket or the like: always O_CLOEXEC, closed exactly once.
 *
 * <p>Whoever uses its number beyond one call (a port with requests on their way) retains it. The
 * number is given back to the system when the owner has closed it and nobody retains it, so that a
 * request never reaches another file that got the same number meanwhile.
 */
public final class Descriptor implements AutoCloseable {
  private static final AtomicInteger OPEN = new AtomicInteger();

  private final int number;
  private final String name;
  private final AtomicInteger holders = new AtomicInteger(1);
  private final AtomicBoolean closedByOwner = new AtomicBoolean();

  private Descriptor(int number, String name) {
    this.number = number;
    this.name = name;
    OPEN.incrementAndGet();
  }

  /** Opens a file; the flags are those of open(2). */
  public static Descriptor open(Path path, int flags) throws NativeException {
    return open(path, flags, 0600);
  }

  public static Descriptor open(Path path, int flags, int mode) throws NativeException {
    return new Descriptor(Libc.open(path.toString(), flags, mode), path.toString());
  }

  /** Takes over a number that a call gave. */
  public static Descriptor owning(int number, String name) {
    return new Descriptor(number, name);
  }

  /**
   * Another descriptor of the same open file: locks and exclusive claims belong to both, and end
   * with the last.
   */
  public Descriptor duplicate() throws NativeException {
    long copy = Libc.fcntl(this, Abi.F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      throw new NativeException("duplicate " + name, Errno.of((int) -copy));
    }
    return new Descriptor((int) copy, name);
  }

  /** How many are open in this process, for counters and tests. */
  public static int openCount() {
    return OPEN.get();
  }

  /** Its number, for calls and rings. */
  public int number() {
    if (holders.get() <= 0) {
      throw new IllegalStateException(name + " was used after it was closed");
    }
    return number;
  }

  public Descriptor retain() {
    int before;
    do {
      before = holders.get();
      if (before <= 0) {
        throw new IllegalStateException(name + " was used after it was closed");
      }
    } while (!holders.compareAndSet(before, before + 1));
    return this;
  }

  public void release() {
    int left = holders.decrementAndGet();
    if (left == 0) {
      OPEN.decrementAndGet();
      Libc.close(number);
    } else if (left < 0) {
      throw new IllegalStateException(name + " was released more often than retained");
    }
  }

  /** Whether its owner has closed it; those who retain it may end what they began. */
  public boolean isClosed() {
    return closedByOwner.get();
  }

  /** The owner is done with it; further calls do nothing. */
  @Override
  public void close() {
    if (closedByOwner.compareAndSet(false, true)) {
      release();
    }
  }

  @Override
  public String toString() {
    return name;
  }
}

package io.spared.ffi.libc;

import com.kenai.jffi.MemoryIO;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Proves that a sixth argument arrives: two pages with different content in an anonymous file are
 * mapped by offset, which is mmap's sixth argument, once by mmap itself and once by syscall. With
 * jnr-ffi's broken stubs either call fails or shows the wrong page.
 */
final class SelfTest {
  private static final int PAGE_BYTES = 65536;
  private static final long FIRST = 0x1122_3344_5566_7788L;
  private static final long SECOND = 0x0102_0304_0506_0708L;

  private SelfTest() {}

  static void prove(NativeCalls calls) {
    int descriptor = calls.memfd_create("spared-self-test", Abi.MFD_CLOEXEC);
    if (descriptor < 0) {
      throw refused("an anonymous file cannot be made");
    }
    try {
      ByteBuffer content = ByteBuffer.allocateDirect(2 * PAGE_BYTES).order(ByteOrder.nativeOrder());
      content.putLong(0, FIRST);
      content.putLong(PAGE_BYTES, SECOND);
      long written;
      try {
        written = calls.pwrite(descriptor, Memory.address(content), 2L * PAGE_BYTES, 0);
      } finally {
        Reference.reachabilityFence(content);
      }
      if (written != 2L * PAGE_BYTES) {
        throw refused("an anonymous file cannot be written");
      }
      check(
          calls,
          "mmap",
          calls.mmap(0, PAGE_BYTES, Abi.PROT_READ, Abi.MAP_SHARED, descriptor, PAGE_BYTES));
      check(
          calls,
          "syscall",
          calls.syscall(
              Abi.SYS_MMAP, 0, PAGE_BYTES, Abi.PROT_READ, Abi.MAP_SHARED, descriptor, PAGE_BYTES));
    } finally {
      calls.close(descriptor);
    }
  }

  private static void check(NativeCalls calls, String function, long address) {
    // Errors are the last page's worth of numbers; small ones come of broken stubs too.
    if (address > -4096 && address < 4096) {
      throw refused(function + " fails");
    }
    long found = MemoryIO.getInstance().getLong(address);
    calls.munmap(address, PAGE_BYTES);
    if (found != SECOND) {
      throw refused(function + " maps the wrong page");
    }
  }

  private static NativeUnusableException refused(String what) {
    return new NativeUnusableException(
        "native calls cannot be trusted in this JVM: the sixth argument of a call does not arrive ("
            + what
            + "); nothing may load jnr-ffi before spared does, or start Java with"
            + " -Djnr.ffi.x86asm.enabled=false");
  }
}

package io.spared.ffi.engine;

import java.io.IOException;

class ThreadsSocketsTest extends SocketEngineTest {
  @Override
  Engine openEngine() throws IOException {
    return DiskEngineTest.threads();
  }
}

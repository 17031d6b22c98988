package io.spared.ffi.engine;

import java.io.IOException;

class UringSocketsTest extends SocketEngineTest {
  @Override
  Engine openEngine() throws IOException {
    return DiskEngineTest.uring();
  }
}

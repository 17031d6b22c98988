package io.spared.ffi.engine;

import java.io.IOException;

class ThreadsOnFileTest extends DiskEngineTest.OnFile {
  @Override
  FileEngine openEngine() throws IOException {
    return threads();
  }
}

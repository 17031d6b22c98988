package io.spared.ffi.engine;

import java.io.IOException;

class UringOnFileTest extends DiskEngineTest.OnFile {
  @Override
  FileEngine openEngine() throws IOException {
    return uring();
  }
}

package io.spared.ffi.engine;

import java.io.IOException;

class UringOnLoopDeviceTest extends DiskEngineTest.OnLoopDevice {
  @Override
  FileEngine openEngine() throws IOException {
    return uring();
  }
}

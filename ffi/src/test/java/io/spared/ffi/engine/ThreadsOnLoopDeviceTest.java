package io.spared.ffi.engine;

import java.io.IOException;

class ThreadsOnLoopDeviceTest extends DiskEngineTest.OnLoopDevice {
  @Override
  FileEngine openEngine() throws IOException {
    return threads();
  }
}

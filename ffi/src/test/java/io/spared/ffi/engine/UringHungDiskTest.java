package io.spared.ffi.engine;

import java.io.IOException;

class UringHungDiskTest extends HungDiskTest {
  @Override
  FileEngine openEngine() throws IOException {
    return DiskEngineTest.uring();
  }
}

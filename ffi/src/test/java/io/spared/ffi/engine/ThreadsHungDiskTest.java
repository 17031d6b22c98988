package io.spared.ffi.engine;

import java.io.IOException;

class ThreadsHungDiskTest extends HungDiskTest {
  @Override
  FileEngine openEngine() throws IOException {
    return DiskEngineTest.threads();
  }
}

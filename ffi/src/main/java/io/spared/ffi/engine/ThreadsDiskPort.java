package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A file or block device served by a bounded set of threads of its own. */
final class ThreadsDiskPort implements DiskPort, ThreadsEngine.Giver {
  private static final long KEEP_ALIVE_SECONDS = 5;

  private final ThreadsEngine engine;
  private final Descriptor file;
  private final FileEngine.FileKind kind;
  private final long baseBytes;
  private final ThreadPoolExecutor threads;
  private int carried;
  private boolean detached;
  private boolean left;
  private Runnable whenLeft = () -> {};

  ThreadsDiskPort(
      ThreadsEngine engine,
      Descriptor file,
      FileEngine.FileKind kind,
      long baseBytes,
      int threadsMax) {
    this.baseBytes = baseBytes;
    this.engine = engine;
    this.file = file.retain();
    this.kind = kind;
    AtomicInteger number = new AtomicInteger();
    // What waits is bounded by the ledger's slots.
    this.threads =
        new ThreadPoolExecutor(
            threadsMax,
            threadsMax,
            KEEP_ALIVE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "disk-" + file + "-" + number.getAndIncrement());
              thread.setDaemon(true);
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
  }

  ThreadsEngine engine() {
    return engine;
  }

  @Override
  public void submit(IoRequest request) {
    engine.ledger().begin(request, this);
    carried++;
    if (detached || file.isClosed()) {
      end(request, 0, Errno.ESHUTDOWN);
      return;
    }
    ThreadsJob job = new ThreadsJob(this, file, kind, baseBytes, request);
    request.engineState = job;
    threads.execute(job);
  }

  void returned(ThreadsJob job) {
    job.request().engineState = null;
    end(job.request(), job.transferredBytes(), job.errno());
  }

  private void end(
      IoRequest request, int transferredBytes, @org.jspecify.annotations.Nullable Errno errno) {
    engine.ledger().end(request, transferredBytes, errno, null);
    endedOne();
  }

  @Override
  public void cancel(IoRequest request) {
    if (request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
      giveUp(request, IoRequest.Outcome.CANCELLED);
    }
  }

  @Override
  public void giveUp(IoRequest request, IoRequest.Outcome outcome) {
    if (request.engineState instanceof ThreadsJob job && job.takeBack()) {
      threads.remove(job);
      request.engineState = null;
      engine.ledger().endWithoutTransfer(request, outcome);
      endedOne();
    } else {
      engine.ledger().abandon(request, outcome);
    }
  }

  private void endedOne() {
    carried--;
    if (detached && carried == 0) {
      leaveWhenEmpty();
    }
  }

  @Override
  public void whenLeft(Runnable task) {
    whenLeft = task;
  }

  private void leaveWhenEmpty() {
    if (!left) {
      leave();
      whenLeft.run();
    }
  }

  @Override
  public void detach() {
    if (!detached) {
      detached = true;
      if (carried == 0) {
        leaveWhenEmpty();
      }
    }
  }

  private void leave() {
    if (!left) {
      left = true;
      threads.shutdown();
      file.release();
      engine.gone(this);
    }
  }

  /** The engine is closed: threads end as soon as they come back from the system. */
  void endThreads() {
    leave();
  }
}

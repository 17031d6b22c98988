package io.spared.ring;

import io.spared.ffi.engine.Engine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A ring's thread as an executor: one thread, made here, which opens the engine (a ring belongs to
 * the thread that opened it), runs the loop, and closes the engine when it is shut down and nothing
 * is left to run.
 */
final class RingExecutor extends AbstractExecutorService {
  private static final Logger LOG = LoggerFactory.getLogger(RingExecutor.class);

  private final Thread thread;
  private final CountDownLatch ended = new CountDownLatch(1);
  private final ReentrantLock lock = new ReentrantLock();
  private final List<Runnable> early = new ArrayList<>();
  private volatile @Nullable RingLoop loop;
  private volatile @Nullable Exception failure;
  private volatile boolean shutdown;

  RingExecutor(String name, ThreadFactory threads, Callable<Engine> openEngine) {
    this.thread = threads.newThread(() -> run(openEngine));
    thread.setName(name);
    thread.start();
  }

  private void run(Callable<Engine> openEngine) {
    RingLoop opened;
    try {
      opened = new RingLoop(openEngine.call());
    } catch (Exception e) {
      failure = e;
      LOG.error("no engine for {}: {}", thread.getName(), e.getMessage());
      ended.countDown();
      return;
    }
    lock.lock();
    try {
      early.forEach(opened::execute);
      early.clear();
      loop = opened;
    } finally {
      lock.unlock();
    }
    try {
      while (!shutdown || opened.hasTasks()) {
        opened.step(!shutdown);
      }
    } finally {
      opened.end();
      ended.countDown();
    }
  }

  @Override
  public void execute(Runnable task) {
    RingLoop running = loop;
    if (running == null) {
      running = executeEarly(task);
      if (running == null) {
        return;
      }
    }
    if (ended.getCount() == 0) {
      throw new RejectedExecutionException("the ring " + thread.getName() + " has ended");
    }
    running.execute(task);
  }

  /** Keeps the task until there is a loop; gives the loop when there is one meanwhile. */
  private @Nullable RingLoop executeEarly(Runnable task) {
    lock.lock();
    try {
      if (loop != null) {
        return loop;
      }
      Exception failed = failure;
      if (failed != null) {
        throw new RejectedExecutionException(
            "the ring " + thread.getName() + " has no engine", failed);
      }
      early.add(task);
      return null;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void shutdown() {
    shutdown = true;
    RingLoop running = loop;
    if (running != null) {
      running.engine().wake();
    }
  }

  @Override
  public List<Runnable> shutdownNow() {
    shutdown();
    return List.of();
  }

  @Override
  public boolean isShutdown() {
    return shutdown;
  }

  @Override
  public boolean isTerminated() {
    return ended.getCount() == 0;
  }

  @Override
  public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
    return ended.await(timeout, unit);
  }
}

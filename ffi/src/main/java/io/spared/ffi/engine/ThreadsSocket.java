package io.spared.ffi.engine;

/**
 * A socket in the threads engine's epoll: it tries what waits on it when it may have become ready.
 */
interface ThreadsSocket {
  /** Tries what waits; what would block goes on waiting. */
  void attempt();

  void close();
}

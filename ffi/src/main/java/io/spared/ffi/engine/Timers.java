package io.spared.ffi.engine;

/** NOTHING requests as timers, the same for every engine: an entry in its book, no more. */
final class Timers {
  private Timers() {}

  static void begin(Engine engine, IoRequest request) {
    if (request.operation() != IoRequest.Operation.NOTHING) {
      throw new IllegalArgumentException("not a timer: " + request);
    }
    engine.ledger().begin(request, overdue -> engine.ledger().end(overdue, 0, null, null));
  }

  static void cancel(Engine engine, IoRequest request) {
    if (request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
      engine.ledger().endWithoutTransfer(request, IoRequest.Outcome.CANCELLED);
    }
  }
}

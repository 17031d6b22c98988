package io.spared.monitor;

import java.time.Instant;

/** Where decisions and commands are written down for later, one line each. */
@FunctionalInterface
public interface AuditLog {
  /** Never throws: an audit log that cannot be written says so in the daemon's log. */
  void write(Instant time, String who, String device, String action, String outcome);

  /** Nowhere, for tests and trials. */
  static AuditLog none() {
    return (time, who, device, action, outcome) -> {};
  }
}

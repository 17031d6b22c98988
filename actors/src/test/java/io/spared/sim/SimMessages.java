package io.spared.sim;

import java.util.Queue;
import org.apache.pekko.dispatch.AbstractNodeQueue;
import org.apache.pekko.dispatch.Envelope;
import org.apache.pekko.dispatch.Mailbox;
import org.apache.pekko.dispatch.sysmsg.Failed;
import org.apache.pekko.dispatch.sysmsg.SystemMessage;
import org.jspecify.annotations.Nullable;

/**
 * Looks at which actor takes which message next, for the trace and for coverage: the run of a
 * mailbox is one message, since the simulated dispatchers have a throughput of one.
 */
final class SimMessages {
  private static final ClassValue<Long> NAMES =
      new ClassValue<>() {
        @Override
        protected Long computeValue(Class<?> type) {
          return (long) type.getName().replaceAll("\\$\\$Lambda.*", "\\$\\$Lambda").hashCode();
        }
      };

  private SimMessages() {}

  static void trace(SimWorld world, Runnable task, int chosen, int others) {
    SimTrace trace = world.trace();
    if (!(task instanceof Mailbox mailbox)) {
      trace.add(chosen, ((long) others << 32) ^ world.nowNanos());
      return;
    }
    if (mailbox.hasSystemMessages()) {
      lookForFailures(world, mailbox);
    }
    Object next = peek(mailbox);
    org.apache.pekko.actor.ActorCell cell = mailbox.actor();
    String name = cell == null ? "none" : stable(cell.self().path().name());
    trace.add(
        (next == null ? 7 : NAMES.get(next.getClass())) * 31 + name.hashCode(),
        ((long) others << 40) ^ ((long) chosen << 32) ^ world.nowNanos());
    if (trace.keepsLines()) {
      trace.line(() ->
          world.nowNanos()
              + " "
              + (cell == null ? "none" : cell.self().path().toStringWithoutAddress())
              + " <- "
              + brief(next));
    }
  }

  /** A supervisor is told of a crash by a system message, whatever it then does. */
  private static void lookForFailures(SimWorld world, Mailbox mailbox) {
    for (SystemMessage message = mailbox.systemQueueGet();
        message != null;
        message = message.next()) {
      if (message instanceof Failed failed) {
        Throwable cause = failed.cause();
        Throwable reason = cause.getCause();
        world.actorFailed(reason == null ? cause : reason);
      }
    }
  }

  /** Pekko counts these two over all systems of a JVM. */
  private static String stable(String name) {
    return name.startsWith("eventStreamUnsubscriber-") || name.startsWith("StreamSupervisor-")
        ? name.substring(0, name.indexOf('-'))
        : name;
  }

  private static String brief(@Nullable Object message) {
    String text =
        message == null ? "(system message)" : message.getClass().getSimpleName() + " " + message;
    return text.length() > 300 ? text.substring(0, 300) : text;
  }

  private static @Nullable Object peek(Mailbox mailbox) {
    Object next =
        switch (mailbox.messageQueue()) {
          case AbstractNodeQueue<?> queue -> queue.peek();
          case Queue<?> queue -> queue.peek();
          default -> null;
        };
    return next instanceof Envelope envelope ? envelope.message() : null;
  }
}

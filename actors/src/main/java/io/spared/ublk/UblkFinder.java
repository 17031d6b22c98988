package io.spared.ublk;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.ublk.ControlCall;
import io.spared.ffi.ublk.UblkControl;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDevices;
import io.spared.ffi.ublk.UblkException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Asks the driver about every ublk device of the host, tells what it said, and ends. So a daemon
 * finds the devices that its predecessor left, by their identity, and an operator all of them.
 */
public final class UblkFinder {
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  private UblkFinder() {}

  /** The devices that answered. */
  public record Found(List<UblkDeviceInfo> devices) {
    public Found {
      devices = List.copyOf(devices);
    }
  }

  private enum Ready {
    INSTANCE
  }

  /** Runs on the control ring's thread; a host without the driver has no devices. */
  public static Behavior<Object> create(UblkHost host, ActorRef<Found> replyTo) {
    return Behaviors.setup(context -> {
      if (!(host.control().engine() instanceof DriverEngine engine)) {
        replyTo.tell(new Found(List.of()));
        return Behaviors.stopped();
      }
      Completions completions = new Completions(() -> context.getSelf().tell(Ready.INSTANCE));
      UblkControl control;
      try {
        control = UblkControl.open(host.kernel().controlDevice(), engine, completions);
      } catch (UblkException e) {
        replyTo.tell(new Found(List.of()));
        return Behaviors.stopped();
      }
      List<Integer> numbers = UblkDevices.numbers(host.kernel().deviceDirectory());
      for (int number : numbers) {
        control.submit(control.info(number), engine.nanoTime() + DEADLINE.toNanos());
      }
      List<UblkDeviceInfo> found = new ArrayList<>();
      if (numbers.isEmpty()) {
        replyTo.tell(new Found(found));
        control.close();
        return Behaviors.stopped();
      }
      int[] missing = {numbers.size()};
      return Behaviors.receive(Object.class)
          .onMessage(
              Ready.class,
              ready -> {
                IoRequest request = completions.next();
                while (request != null) {
                  if (request.attachment() instanceof ControlCall call
                      && !control.sentAgain(call)) {
                    if (completions.lastOutcome() == IoRequest.Outcome.DONE) {
                      found.add(call.info());
                    }
                    missing[0]--;
                  }
                  request = completions.next();
                }
                if (missing[0] > 0) {
                  return Behaviors.same();
                }
                replyTo.tell(new Found(found));
                return Behaviors.stopped();
              })
          .onSignal(
              PostStop.class,
              stop -> {
                control.close();
                return Behaviors.same();
              })
          .build();
    });
  }
}

package io.spared.device;

import io.spared.ffi.disk.DiskAddress;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/** What a device tells its host of its spares. */
public sealed interface SpareNotice {
  String device();

  /**
   * The disk is about to become a spare of the device: it has to be found at every start from now
   * on. Answered once that is remembered, or with why it is not.
   */
  record Comes(String device, DiskAddress address, ActorRef<Remembered> replyTo)
      implements SpareNotice {}

  /**
   * Answers {@link Comes}.
   *
   * @param problem why the disk has to be named in the configuration; empty when it need not be
   */
  record Remembered(Optional<String> problem) {}

  /** The disk did not become a spare after all, or is one no more. */
  record Gone(String device, DiskAddress address) implements SpareNotice {}

  /**
   * A spare failed, or all are nearly full: a hot spare is wanted.
   *
   * @param leaves the number of the spare that is to be left for it, or -1
   */
  record Wanted(String device, int leaves, String reason) implements SpareNotice {}
}

package io.spared.nbd;

import io.spared.nbd.negotiation.Answer;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import java.net.SocketAddress;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/** What the NBD frontend asks of its owner and tells it. The owner knows the devices. */
public sealed interface NbdRequest {

  /** Which exports this client may see. Answered with {@link Answer.Names}. */
  record ListExports(ClientIdentity client, ActorRef<Answer> replyTo) implements NbdRequest {}

  /** What an export is like, or why this client cannot have it. */
  record FindExport(String name, ClientIdentity client, ActorRef<Answer> replyTo)
      implements NbdRequest {}

  /**
   * Open a queue to the export's device for a connection on this ring. The context must fit the
   * description that {@link FindExport} gave just before.
   *
   * @param queue takes the queue's commands; it stops only when the queue is closed, so its early
   *     end means that the connection's actor failed
   */
  record OpenQueue(
      String name,
      ClientIdentity client,
      int ringIndex,
      ActorRef<QueueCommand> queue,
      ActorRef<QueueAnswer> replyTo)
      implements NbdRequest {}

  sealed interface QueueAnswer {
    record Opened(QueueContext context) implements QueueAnswer {}

    record Refused(Answer.Refusal refusal, String sentence) implements QueueAnswer {}
  }

  /**
   * The listener stands: clients may come.
   *
   * @param warning what is dangerous about where it stands
   */
  record Listening(String listener, SocketAddress address, Optional<String> warning)
      implements NbdRequest {}

  /** It cannot stand, and what to do about it. */
  record ListenFailed(String listener, String sentence) implements NbdRequest {}

  /** A client began to use an export. */
  record ClientArrived(String export, ClientIdentity client) implements NbdRequest {}

  /** It does not any more. */
  record ClientLeft(String export, ClientIdentity client, boolean orderly, String reason)
      implements NbdRequest {}
}

package io.spared.evacuation;

import java.util.concurrent.CompletableFuture;
import org.apache.pekko.Done;

/** What the evacuator of a spare is told. */
public sealed interface EvacuatorCommand {
  /** Go once over all blocks on the spare; answered by {@link EvacuatorRequest.PassEnded}. */
  record BeginPass() implements EvacuatorCommand {}

  /** Answers {@link EvacuatorRequest.MoveBlock}. */
  record MoveEnded(long block, boolean moved) implements EvacuatorCommand {}

  record SetRate(long bytesPerSecond) implements EvacuatorCommand {}

  /** From now on what cannot be read is lost, whatever the reason. */
  record GiveUp() implements EvacuatorCommand {}

  record Stop() implements EvacuatorCommand {}

  /** From its own flow: the next block. */
  record Next(long block, CompletableFuture<Done> ended) implements EvacuatorCommand {}

  /** From its own timer: a block's time has come. */
  record MoveNow() implements EvacuatorCommand {}

  /** From its own flow. */
  record FlowEnded(long pass, String problem) implements EvacuatorCommand {}
}

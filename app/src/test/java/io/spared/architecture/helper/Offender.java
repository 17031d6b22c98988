package io.spared.architecture.helper;

import io.spared.app.Main;
import io.spared.ffi.libc.Descriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;

/** Takes from the machine, from above and from below what it should be given. */
final class Offender {
  Class<?> above() {
    return Main.class;
  }

  Arena below() {
    return Arena.ofAuto();
  }

  int number(Descriptor descriptor) {
    return descriptor.number();
  }

  UUID taken() {
    return UUID.randomUUID();
  }

  List<String> read(Path file) throws IOException {
    return Files.readAllLines(file);
  }

  void sleeps() throws InterruptedException {
    Thread.sleep(1);
  }

  void asks(ActorContext<String> context, ActorRef<String> other) {
    context.ask(
        String.class,
        other,
        Duration.ofSeconds(1),
        replyTo -> "question",
        (answer, late) -> String.valueOf(answer));
  }

  void prints() {
    System.out.println();
  }
}

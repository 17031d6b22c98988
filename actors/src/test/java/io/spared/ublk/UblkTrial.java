package io.spared.ublk;

import com.typesafe.config.ConfigFactory;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorSystem;

/**
 * Serves one disk as one ublk device with the real frontend, queues and rings, and nothing else: no
 * metadata and no relocation, so that what the test VM shows is the frontend's alone. Commands come
 * on standard input: go (with {@code --wait yes}), stop, stop-if-unused, leave, crash-queue,
 * crash-frontend. It says READY, SERVING, REFUSED and ENDED.
 */
public final class UblkTrial {
  private UblkTrial() {}

  /** Runs until the frontend has ended. */
  public static void main(String[] arguments) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i].substring(2), arguments[i + 1]);
    }
    ActorSystem<TrialRoot.Message> system =
        ActorSystem.create(TrialRoot.create(options), "trial", ConfigFactory.load());
    Thread input =
        new Thread(() -> {
          try (var lines =
              new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
              system.tell(new TrialRoot.Input(line));
            }
          } catch (IOException e) {
            say("no more input: " + e.getMessage());
          }
        });
    input.setDaemon(true);
    input.start();
    system.getWhenTerminated().toCompletableFuture().join();
    System.exit(0);
  }

  static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}

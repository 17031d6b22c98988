package io.spared.app;

import io.spared.app.ctl.Ctl;
import io.spared.app.demo.Demo;
import java.util.Arrays;

/**
 * Where the program starts: one word says which of its commands is meant. A command's classes are
 * loaded only when it is chosen, since the client has 300 ms for its first answer.
 */
public final class Main {
  private static final String USAGE = "usage: spared daemon | ctl | demo; see README.md";

  private Main() {}

  public static void main(String[] arguments) {
    if (arguments.length == 0) {
      System.err.println(USAGE);
      System.exit(2);
    }
    String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
    switch (arguments[0]) {
      case "daemon" -> System.exit(Daemon.run(rest));
      case "ctl" -> {
        // The client speaks for itself; what goes on below is for the daemon's log.
        System.setProperty("spared.log.level", "WARN");
        System.exit(Ctl.run(rest));
      }
      case "demo" -> {
        // It shows the events itself.
        System.setProperty("spared.log.level", "OFF");
        System.exit(Demo.run(rest));
      }
      default -> {
        System.err.println("spared: no command " + arguments[0] + "; " + USAGE);
        System.exit(2);
      }
    }
  }
}

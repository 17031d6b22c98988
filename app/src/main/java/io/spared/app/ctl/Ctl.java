package io.spared.app.ctl;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;

/** The client's entry: parses the command line and gives the exit code. */
public final class Ctl {
  /** Done. */
  static final int DONE = 0;

  /** Refused or failed; one sentence on stderr says why. */
  static final int REFUSED = 1;

  /** The command line is wrong. */
  static final int USAGE = 2;

  /** No daemon answers on the control socket. */
  static final int NO_DAEMON = 3;

  /** There is no such device. */
  static final int NO_SUCH_DEVICE = 4;

  private Ctl() {}

  public static int run(String[] arguments) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    return run(arguments, out, err);
  }

  /** The same with the given outputs, for tests and the demonstration. */
  public static int run(String[] arguments, PrintWriter out, PrintWriter err) {
    int code =
        new CommandLine(new CtlCommands())
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setExecutionExceptionHandler((failure, line, result) -> {
              String message = failure.getMessage();
              line.getErr()
                  .println("spared ctl: " + (message == null ? failure.toString() : message));
              return failure instanceof CtlException refused ? refused.exitCode() : REFUSED;
            })
            .execute(arguments);
    out.flush();
    err.flush();
    return code;
  }
}

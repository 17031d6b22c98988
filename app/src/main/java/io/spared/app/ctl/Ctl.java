package io.spared.app.ctl;

import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;

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

  /** Nobody knows yet whether it was done. */
  static final int IN_DOUBT = 5;

  /** What picocli has where an annotation gives no name: the method's own is meant. */
  private static final String UNNAMED = "<main class>";

  private Ctl() {}

  public static int run(String[] arguments) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    return run(arguments, out, err);
  }

  /** The same with the given outputs, for tests and the demonstration. */
  public static int run(String[] arguments, PrintWriter out, PrintWriter err) {
    int code =
        commandLine(List.of(arguments))
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setExecutionExceptionHandler((failure, line, result) -> {
              String message = failure.getMessage();
              line.getErr()
                  .println("spared ctl: " + (message == null ? failure.toString() : message));
              return failure instanceof CtlException refused ? refused.exitCode() : REFUSED;
            })
            .setParameterExceptionHandler((wrong, words) -> usage(wrong))
            .execute(arguments);
    out.flush();
    err.flush();
    return code;
  }

  /** One sentence, and where help is; whole help would hide it. */
  private static int usage(CommandLine.ParameterException wrong) {
    CommandLine line = wrong.getCommandLine();
    String sentence =
        String.valueOf(wrong.getMessage())
            .replace(" is not a long", " is not a number")
            .replace(" is not an int", " is not a number")
            .replace(" is not a double", " is not a number");
    line.getErr()
        .println(
            "spared ctl: "
                + sentence
                + "; see "
                + line.getCommandSpec().qualifiedName()
                + " --help");
    CommandLine.UnmatchedArgumentException.printSuggestions(wrong, line.getErr());
    return USAGE;
  }

  /**
   * Only the commands that the arguments may mean are looked at: reflection over all of them takes
   * a third of the time to the first answer. Where none is named (help, a mistake) all are there.
   */
  private static CommandLine commandLine(List<String> arguments) {
    CommandLine line = new CommandLine(new CtlCommands());
    boolean found = false;
    List<Method> others = new ArrayList<>();
    for (Method method : CtlCommands.class.getDeclaredMethods()) {
      Command command = method.getAnnotation(Command.class);
      if (command == null) {
        continue;
      }
      String name = command.name().equals(UNNAMED) ? method.getName() : command.name();
      if (arguments.contains(name)) {
        line.addSubcommand(name, new CommandLine(method));
        found = true;
      } else {
        others.add(method);
      }
    }
    boolean ublk = arguments.contains("ublk");
    if (ublk || !found) {
      line.addSubcommand(new UblkCommands());
    }
    if (!ublk && !found) {
      others.sort(Comparator.comparing(Method::getName));
      others.forEach(method -> line.addSubcommand(new CommandLine(method)));
    }
    return line;
  }
}

package io.spared.spare;

/** For trials elsewhere: what the actor of a spare disk cannot take. */
public final class SpareCrash {
  private SpareCrash() {}

  @SuppressWarnings("NullAway")
  public static Object message() {
    return new SpareDiskCommand.GetUsage(null);
  }
}

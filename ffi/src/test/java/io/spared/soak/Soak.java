package io.spared.soak;

/**
 * A long run in search of faults: {@code ./spared soak NAME} runs {@code io.spared.soak.NameSoak}
 * of any module's test tree. It goes on until {@link SoakArguments#over()}, prints what it found
 * with what is needed to see it again, and answers whether it found nothing.
 */
public interface Soak {
  /**
   * Runs until its time is up or something is found.
   *
   * @return true when nothing was found
   */
  boolean run(SoakArguments arguments, SoakProgress progress) throws Exception;
}

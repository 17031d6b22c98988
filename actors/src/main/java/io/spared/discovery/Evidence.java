package io.spared.discovery;

/**
 * One reason to believe that a set-up is what it seems.
 *
 * @param name a word that does not change: copies, spares, size, serial, history
 * @param points what it adds to the confidence
 * @param of what it could add
 */
public record Evidence(String name, int points, int of, String sentence) {
  @Override
  public String toString() {
    return name + " " + points + " of " + of + ": " + sentence;
  }
}

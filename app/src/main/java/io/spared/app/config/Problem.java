package io.spared.app.config;

/** Something wrong with the configuration: where, what, and what to do. */
public record Problem(String file, int line, String path, String sentence) {
  @Override
  public String toString() {
    String where = line > 0 ? file + ":" + line : file;
    return where + ": " + (path.isEmpty() ? "" : path + ": ") + sentence;
  }
}

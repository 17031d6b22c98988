package io.spared.mutation;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * The whole project loaded anew with some places of its sources changed. Production code has no
 * seam for it: the source text is the seam. The changed files are compiled in memory, all classes
 * of the project are defined again beside them, and a change whose place is no longer there fails
 * instead of changing nothing.
 */
public final class BrokenCode extends ClassLoader {
  /**
   * One change.
   *
   * @param file the source, from the project's root
   * @param find what stands there now, exactly once, white space apart
   * @param put what is put in its place
   */
  public record Edit(String file, String find, String put) {}

  private final Map<String, byte[]> changed;

  private BrokenCode(Map<String, byte[]> changed, ClassLoader parent) {
    super(parent);
    this.changed = changed;
  }

  /**
   * All classes of the project, broken in these places.
   *
   * @param name what is broken, in words
   */
  public static BrokenCode of(String name, List<Edit> edits) throws IOException {
    return new BrokenCode(
        compile(name, edits), Objects.requireNonNull(BrokenCode.class.getClassLoader()));
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    synchronized (getClassLoadingLock(name)) {
      if (!name.startsWith("io.spared.")) {
        return super.loadClass(name, resolve);
      }
      Class<?> known = findLoadedClass(name);
      if (known != null) {
        return known;
      }
      byte[] bytes = changed.get(name);
      if (bytes == null) {
        bytes = original(name);
      }
      return defineClass(name, bytes, 0, bytes.length);
    }
  }

  private byte[] original(String name) throws ClassNotFoundException {
    try (InputStream in =
        Objects.requireNonNull(getParent())
            .getResourceAsStream(name.replace('.', '/') + ".class")) {
      if (in == null) {
        throw new ClassNotFoundException(name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new ClassNotFoundException(name, e);
    }
  }

  /** The root of the sources, wherever the tests are run from. */
  private static Path sources(String file) {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path here = at.resolve(file);
      if (Files.exists(here)) {
        return here;
      }
    }
    throw new IllegalStateException("no source " + file + " above " + Path.of("").toAbsolutePath());
  }

  /** The sources as they are then; fails when a place is no longer there. */
  public static Map<String, String> find(String name, List<Edit> edits) throws IOException {
    Map<String, String> sources = new LinkedHashMap<>();
    for (Edit edit : edits) {
      String source = sources.get(edit.file());
      sources.put(
          edit.file(),
          replaceOnce(
              name, edit, source == null ? Files.readString(sources(edit.file())) : source));
    }
    return sources;
  }

  private static Map<String, byte[]> compile(String name, List<Edit> edits) throws IOException {
    Map<String, String> sources = find(name, edits);
    List<JavaFileObject> units = new ArrayList<>();
    sources.forEach((file, broken) ->
        units.add(new Source(file.replaceAll(".*/java/", "").replaceAll("\\.java$", ""), broken)));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    Map<String, ByteArrayOutputStream> compiled = new HashMap<>();
    StringWriter errors = new StringWriter();
    try (JavaFileManager files =
        new InMemory(compiler.getStandardFileManager(null, null, null), compiled)) {
      boolean done =
          compiler
              .getTask(
                  errors,
                  files,
                  null,
                  List.of(
                      "-proc:none",
                      "-nowarn",
                      "-classpath",
                      Objects.requireNonNull(
                          System.getProperty(
                              "surefire.test.class.path", System.getProperty("java.class.path")))),
                  null,
                  units)
              .call();
      if (!done) {
        throw new IllegalStateException(
            "broken code \"" + name + "\" does not compile:\n" + errors);
      }
    }
    Map<String, byte[]> classes = new HashMap<>();
    compiled.forEach((type, bytes) -> classes.put(type, bytes.toByteArray()));
    return classes;
  }

  private static String replaceOnce(String name, Edit edit, String source) {
    StringBuilder pattern = new StringBuilder();
    for (String word : edit.find().trim().split("\\s+", -1)) {
      pattern.append(pattern.isEmpty() ? "" : "\\s+").append(Pattern.quote(word));
    }
    Matcher matcher = Pattern.compile(pattern.toString()).matcher(source);
    if (!matcher.find()) {
      throw new IllegalStateException(
          "broken code \"" + name + "\": " + edit.file() + " has changed; find its place");
    }
    String broken =
        source.substring(0, matcher.start()) + edit.put() + source.substring(matcher.end());
    if (matcher.find()) {
      throw new IllegalStateException(
          "broken code \"" + name + "\": its place is not the only one in " + edit.file());
    }
    return broken;
  }

  private static final class Source extends SimpleJavaFileObject {
    private final String text;

    Source(String className, String text) {
      super(URI.create("string:///" + className + ".java"), Kind.SOURCE);
      this.text = text;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return text;
    }
  }

  private static final class InMemory extends ForwardingJavaFileManager<JavaFileManager> {
    private final Map<String, ByteArrayOutputStream> compiled;

    InMemory(JavaFileManager files, Map<String, ByteArrayOutputStream> compiled) {
      super(files);
      this.compiled = compiled;
    }

    @Override
    public JavaFileObject getJavaFileForOutput(
        Location location,
        String className,
        JavaFileObject.Kind kind,
        @Nullable FileObject sibling) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      compiled.put(className, bytes);
      return new SimpleJavaFileObject(
          URI.create("mem:///" + className.replace('.', '/') + ".class"), kind) {
        @Override
        public OutputStream openOutputStream() {
          return bytes;
        }
      };
    }
  }
}

package io.spared.mutation;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * One source file with one thing broken, compiled beside the real classes and put in their place
 * for one run of one test. The production code has no seam for it: the source text is the seam, and
 * a mutation whose text is no longer there fails instead of passing for nothing.
 *
 * @param name what is broken, in words
 * @param invariant of DESIGN.md that it breaks
 * @param source path of the file below the sources' root
 * @param right the text that is there, exactly once
 * @param wrong what stands there instead
 * @param test class and method that must fail, as {@code package.Class#method}
 * @param arguments of that method
 */
record Mutant(
    String name,
    int invariant,
    String source,
    String right,
    String wrong,
    String test,
    List<Object> arguments) {

  Mutant {
    arguments = List.copyOf(arguments);
  }

  /** Runs the test against the broken code: what it said, or empty when it noticed nothing. */
  Optional<String> run() {
    Path root = Path.of(System.getProperty("spared.sources", "src/main/java"));
    String text;
    try {
      text = Files.readString(root.resolve(source));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    int at = text.indexOf(right);
    if (at < 0 || text.indexOf(right, at + 1) >= 0) {
      throw new AssertionError(
          "mutation \"" + name + "\": its text is not exactly once in " + source + ": " + right);
    }
    String broken = text.substring(0, at) + wrong + text.substring(at + right.length());
    ClassLoader loader = new BrokenFirst(compile(broken), Mutant.class.getClassLoader());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(loader);
    try {
      return runTest(loader);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private Optional<String> runTest(ClassLoader loader) {
    String className = test.substring(0, test.indexOf('#'));
    String methodName = test.substring(test.indexOf('#') + 1);
    try {
      Class<?> type = loader.loadClass(className);
      var constructor = type.getDeclaredConstructor();
      constructor.setAccessible(true);
      Method method =
          Arrays.stream(type.getDeclaredMethods())
              .filter(m -> m.getName().equals(methodName))
              .findFirst()
              .orElseThrow();
      method.setAccessible(true);
      method.invoke(constructor.newInstance(), arguments.toArray());
      return Optional.empty();
    } catch (InvocationTargetException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      return Optional.of(
          String.valueOf(cause).lines().filter(line -> !line.isBlank()).findFirst().orElse("?"));
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("mutation \"" + name + "\": no such test: " + test, e);
    }
  }

  private Map<String, byte[]> compile(String broken) {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> said = new DiagnosticCollector<>();
    Map<String, ByteArrayOutputStream> classes = new HashMap<>();
    JavaFileObject file =
        new SimpleJavaFileObject(URI.create("string:///" + source), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return broken;
          }
        };
    try (JavaFileManager files =
        new ForwardingJavaFileManager<JavaFileManager>(
            compiler.getStandardFileManager(said, null, null)) {
          @Override
          public JavaFileObject getJavaFileForOutput(
              Location location,
              String className,
              JavaFileObject.Kind kind,
              @Nullable FileObject sibling) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            classes.put(className, bytes);
            return new SimpleJavaFileObject(
                URI.create("bytes:///" + className.replace('.', '/')), kind) {
              @Override
              public OutputStream openOutputStream() {
                return bytes;
              }
            };
          }
        }) {
      List<String> options =
          List.of(
              "-proc:none",
              "-nowarn",
              "-classpath",
              System.getProperty(
                  "surefire.test.class.path", System.getProperty("java.class.path")));
      if (!compiler.getTask(null, files, said, options, null, List.of(file)).call()) {
        throw new AssertionError(
            "mutation \"" + name + "\" does not compile: " + said.getDiagnostics());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Map<String, byte[]> result = new HashMap<>();
    classes.forEach((className, bytes) -> result.put(className, bytes.toByteArray()));
    return result;
  }

  @Override
  public String toString() {
    return name;
  }

  /** Defines the project's own classes anew, the broken ones among them. */
  private static final class BrokenFirst extends ClassLoader {
    private final Map<String, byte[]> broken;

    BrokenFirst(Map<String, byte[]> broken, ClassLoader parent) {
      super(parent);
      this.broken = broken;
    }

    @Override
    protected Class<?> loadClass(String className, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(className)) {
        Class<?> loaded = findLoadedClass(className);
        if (loaded != null) {
          return loaded;
        }
        if (!className.startsWith("io.spared.") || className.startsWith("io.spared.mutation.")) {
          return super.loadClass(className, resolve);
        }
        byte[] bytes = broken.get(className);
        if (bytes == null) {
          try (InputStream in =
              getParent().getResourceAsStream(className.replace('.', '/') + ".class")) {
            if (in == null) {
              throw new ClassNotFoundException(className);
            }
            bytes = in.readAllBytes();
          } catch (IOException e) {
            throw new ClassNotFoundException(className, e);
          }
        }
        return defineClass(className, bytes, 0, bytes.length);
      }
    }
  }
}

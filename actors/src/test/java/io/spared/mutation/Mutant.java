package io.spared.mutation;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * One thing broken, and the test that must fail for it.
 *
 * @param name what is broken, in words
 * @param invariant of DESIGN.md that it breaks
 * @param edit the place in the source
 * @param test class and method that must fail, as {@code package.Class#method}
 * @param arguments of that method
 */
record Mutant(
    String name, int invariant, BrokenCode.Edit edit, String test, List<Object> arguments) {

  Mutant {
    arguments = List.copyOf(arguments);
  }

  /** Runs the test against the broken code: what it said, or empty when it noticed nothing. */
  Optional<String> run() {
    ClassLoader loader;
    try {
      loader = BrokenCode.of(name, List.of(edit));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
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

  @Override
  public String toString() {
    return name;
  }
}

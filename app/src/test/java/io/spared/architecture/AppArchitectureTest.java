package io.spared.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class AppArchitectureTest extends ArchitectureCheck {
  /** Benchmarks and soaks of every module are started from this class path, by name. */
  @Test
  void everyClassThatOursNameIsOnTheClassPathTheyAreStartedFrom() throws IOException {
    Set<String> named = new TreeSet<>();
    for (String place : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path path = Path.of(place);
      if (Files.isDirectory(path)) {
        namedBelow(path, named);
      } else if (path.getFileName().toString().startsWith("spared-")) {
        // As the modules below are once they are packaged.
        try (FileSystem jar = FileSystems.newFileSystem(path)) {
          namedBelow(jar.getPath("/"), named);
        }
      }
    }
    assertThat(named).contains("org/openjdk/jmh/runner/Runner");
    named.removeIf(name -> ClassLoader.getSystemResource(name + ".class") != null);
    assertThat(named).isEmpty();
  }

  private static List<Path> classFiles(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.filter(file -> file.toString().endsWith(".class")).toList();
    }
  }

  private static void namedBelow(Path directory, Set<String> names) throws IOException {
    for (Path file : classFiles(directory)) {
      named(file, names);
    }
  }

  private static void named(Path file, Set<String> names) throws IOException {
    for (PoolEntry entry : ClassFile.of().parse(Files.readAllBytes(file)).constantPool()) {
      if (entry instanceof ClassEntry named && !named.asSymbol().isArray()) {
        names.add(named.asInternalName());
      }
    }
  }
}

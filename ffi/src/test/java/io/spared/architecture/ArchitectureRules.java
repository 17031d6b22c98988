package io.spared.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.Set;

/**
 * The rules. Every module checks them over all that it can see, so that a break shows in the module
 * that made it.
 *
 * <p>The simulator runs the real actors under its own time, randomness and disks. That works only
 * while nothing in them takes the machine's: one stray {@code Instant.now()} and a seed is no
 * longer one run. So everything of that kind comes through {@code io.spared.ffi.world} and the
 * engines.
 */
final class ArchitectureRules {
  private ArchitectureRules() {}

  private static final String PEKKO = "org.apache.pekko..";
  private static final String[] ADAPTERS = {"io.spared.ffi..", "io.spared.app.."};

  /** Pure logic: no actor, no stream, so that it is tested by calling it. */
  private static final String[] LOGIC = {"io.spared.format..", "io.spared.remap.."};

  private static final ArchRule FFI_KNOWS_NOTHING_ABOVE =
      noClasses()
          .that()
          .resideInAPackage("io.spared.ffi..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("io.spared..", PEKKO, "scala..")
                  .and(not(resideInAnyPackage("io.spared.ffi.."))))
          .because("the arrows are app → actors → ffi, and ffi is usable without Pekko");

  private static final ArchRule ACTORS_DO_NOT_KNOW_THE_PROGRAM =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.app..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.spared.app..")
          .because("the arrows are app → actors → ffi");

  private static final ArchRule NATIVE_ONLY_IN_FFI =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.ffi..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("jnr..", "com.kenai.jffi..", "java.lang.foreign..")
          .because("nothing above ffi sees an address or a descriptor");

  private static final ArchRule NUMBERS_STAY_IN_FFI =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.ffi..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.spared.ffi.libc..", "io.spared.ffi.uring..")
          .because(
              "calls by descriptor, address and bare errno are wrapped by the other packages of"
                  + " ffi");

  private static final ArchRule LOGIC_WITHOUT_PEKKO =
      noClasses()
          .that()
          .resideInAnyPackage(LOGIC)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(PEKKO, "scala..")
          .because("logic is pure and synchronous, so that it can be tested without an actor");

  private static final ArchRule TIME_AND_CHANCE_ARE_INJECTED =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.ffi.world..")
          .should()
          .accessTargetWhere(
              calls("java.lang.System", "nanoTime", "currentTimeMillis")
                  .or(calls("java.lang.Math", "random"))
                  .or(calls("java.util.UUID", "randomUUID"))
                  .or(calls("java.util.concurrent.ThreadLocalRandom", "current"))
                  .or(anyOf("java\\.time\\.\\w+", Set.of("now")))
                  .or(anyOf("java\\.time\\.Clock", Set.of("systemUTC", "systemDefaultZone")))
                  .or(
                      anyOf(
                          "java\\.util\\.Random|java\\.util\\.SplittableRandom|"
                              + "java\\.security\\.SecureRandom",
                          Set.of("<init>")))
                  .as("the machine's clock or randomness"))
          .because("World gives time, randomness and identifiers; the simulator gives its own");

  private static final ArchRule FILES_AND_THREADS_ARE_INJECTED =
      noClasses()
          .that()
          .resideOutsideOfPackages(ADAPTERS)
          .should()
          .accessTargetWhere(
              calls("java.lang.Thread", "<init>", "ofVirtual", "ofPlatform", "startVirtualThread")
                  .or(anyOf("java\\.util\\.concurrent\\.Executors", null))
                  .or(anyOf("java\\.util\\.Timer", null))
                  .or(calls("java.util.concurrent.ForkJoinPool", "commonPool", "<init>"))
                  .or(anyOf("java\\.nio\\.file\\.Files", null))
                  .or(
                      anyOf(
                          "java\\.io\\.(FileInputStream|FileOutputStream|RandomAccessFile|"
                              + "FileReader|FileWriter)",
                          null))
                  .or(calls("java.nio.channels.FileChannel", "open"))
                  .as("files or threads"))
          .because("actors get files from ffi and threads from their dispatchers");

  private static final ArchRule ANSWERS_STAY_ON_THEIR_DISPATCHER =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.app..")
          .should()
          .accessTargetWhere(
              anyOf(
                      "org\\.apache\\.pekko\\.actor\\.typed\\.javadsl\\.(ActorContext|AskPattern)",
                      Set.of("ask", "askWithStatus", "pipeToSelf"))
                  .as("an ask"))
          .because(
              "Pekko hands such answers through the JVM's common pool, whose threads nobody"
                  + " injects: OneAnswer keeps them on the asker's dispatcher");

  private static final ArchRule NOBODY_SLEEPS =
      noClasses()
          .should()
          .accessTargetWhere(
              calls("java.lang.Thread", "sleep")
                  .or(calls("java.util.concurrent.TimeUnit", "sleep"))
                  .as("a sleep"))
          .because("a wait has a condition and a deadline, as a message");

  private static final ArchRule PACKAGES_ARE_NOUNS_OF_THE_DOMAIN =
      noClasses()
          .should()
          .resideInAnyPackage("..util..", "..common..", "..impl..", "..manager..", "..helper..")
          .because("a package is a noun of the domain");

  private static final ArchRule ONLY_THE_PROGRAM_PRINTS =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.spared.app..")
          .should()
          .accessTargetWhere(calls("java.lang.System", "out", "err", "exit"))
          .because("what is below reports to its owner");

  static final List<ArchRule> ALL =
      List.of(
          FFI_KNOWS_NOTHING_ABOVE,
          ACTORS_DO_NOT_KNOW_THE_PROGRAM,
          NATIVE_ONLY_IN_FFI,
          NUMBERS_STAY_IN_FFI,
          LOGIC_WITHOUT_PEKKO,
          TIME_AND_CHANCE_ARE_INJECTED,
          FILES_AND_THREADS_ARE_INJECTED,
          ANSWERS_STAY_ON_THEIR_DISPATCHER,
          NOBODY_SLEEPS,
          PACKAGES_ARE_NOUNS_OF_THE_DOMAIN,
          ONLY_THE_PROGRAM_PRINTS);

  /** All classes of the project that this module can see, without tests. */
  static JavaClasses production() {
    return new ClassFileImporter()
        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
        .withImportOption(location -> !location.contains("-tests.jar"))
        .importPackages("io.spared");
  }

  private static DescribedPredicate<JavaAccess<?>> calls(String owner, String... names) {
    return anyOf(owner.replace(".", "\\."), Set.of(names));
  }

  /** Accesses to members of matching classes; no names means all members. */
  private static DescribedPredicate<JavaAccess<?>> anyOf(
      String ownerPattern, @org.jspecify.annotations.Nullable Set<String> names) {
    DescribedPredicate<JavaClass> owner = nameMatching(ownerPattern).forSubtype();
    return DescribedPredicate.describe(
        ownerPattern,
        access -> {
          AccessTarget target = access.getTarget();
          return owner.test(target.getOwner())
              && (names == null || names.contains(target.getName()));
        });
  }
}

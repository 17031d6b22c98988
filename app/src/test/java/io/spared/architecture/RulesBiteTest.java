package io.spared.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class RulesBiteTest {
  @TestFactory
  Stream<DynamicTest> everyRuleFailsOnCodeThatBreaksIt() {
    JavaClasses offenders =
        new ClassFileImporter()
            .importPackages(
                "io.spared.architecture.helper",
                "io.spared.ffi.offence",
                "io.spared.format.offence");
    return ArchitectureRules.ALL.stream()
        .map(rule -> DynamicTest.dynamicTest(rule.getDescription(), () -> bites(rule, offenders)));
  }

  private static void bites(ArchRule rule, JavaClasses offenders) {
    assertThat(rule.allowEmptyShould(true).evaluate(offenders).hasViolation()).isTrue();
  }
}

package io.spared.architecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.lang.ArchRule;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Runs every rule over what the module sees; each module has a test that extends this. */
public abstract class ArchitectureCheck {
  @TestFactory
  Stream<DynamicTest> holds() {
    JavaClasses classes = ArchitectureRules.production();
    return ArchitectureRules.ALL.stream()
        .map(rule -> DynamicTest.dynamicTest(rule.getDescription(), () -> check(rule, classes)));
  }

  private static void check(ArchRule rule, JavaClasses classes) {
    // A lower module has no classes for some rules; RulesBiteTest shows that each can fail.
    rule.allowEmptyShould(true).check(classes);
  }
}

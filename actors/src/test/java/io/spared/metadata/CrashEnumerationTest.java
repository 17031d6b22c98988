package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.metadata.CrashEnumeration.Operation;
import java.util.List;
import org.junit.jupiter.api.Test;

class CrashEnumerationTest {
  @Test
  void everyScriptOfTwoOperationsSurvivesEveryCrash() {
    long states = 0;
    long points = 0;
    for (List<Operation> script : CrashEnumeration.scripts(2)) {
      CrashEnumeration run = CrashEnumeration.real(CrashEnumeration.seedOf(script, 0), 2, script);
      states += run.run();
      points += run.crashPoints();
    }
    System.out.println("crash enumeration: " + states + " states at " + points + " crash points");
    assertThat(states).isGreaterThan(10_000);
  }
}

package io.spared.app.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.CleanStops;
import io.spared.discovery.Remembered;
import io.spared.format.Epoch;
import io.spared.format.Position;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryFilesTest {
  private static final UUID DEVICE = new UUID(1, 2);

  @TempDir Path scratch;
  private Path directory = Path.of("devices");

  @BeforeEach
  void place() {
    directory = scratch.resolve("devices");
  }

  private MemoryFiles memory() {
    return new MemoryFiles(directory, CleanStops.inMemory());
  }

  private static Remembered at(long epoch, long sequence) {
    return new Remembered(DEVICE, new Position(new Epoch(epoch, -5), sequence));
  }

  @Test
  void whatIsRememberedIsThereAfterARestart() {
    memory().remember(at(3, 7));
    memory().rememberAutomatic(false);

    assertThat(memory().read().remembered()).isEqualTo(Map.of(DEVICE, at(3, 7)));
    assertThat(memory().read().automatic()).contains(false);
  }

  @Test
  void aPositionNeverGoesBack() {
    memory().remember(at(3, 7));
    memory().remember(at(2, 900));

    assertThat(memory().read().remembered()).isEqualTo(Map.of(DEVICE, at(3, 7)));
  }

  @Test
  void aDamagedFileIsNoMemoryAndIsWrittenAnew() throws IOException {
    Files.createDirectories(directory);
    Files.writeString(directory.resolve(DEVICE + ".ran"), "garbage");
    assertThat(memory().read().remembered()).isEmpty();

    memory().remember(at(3, 7));

    assertThat(memory().read().remembered()).containsKey(DEVICE);
  }

  @Test
  void aMissingDirectoryIsNoMemory() {
    assertThat(memory().read().remembered()).isEmpty();
    assertThat(memory().read().automatic()).isEmpty();
  }

  @Test
  void aDirectoryThatCannotBeMadeDoesNoHarm() throws IOException {
    Files.writeString(directory, "a file is in the way");

    memory().remember(at(3, 7));

    assertThat(memory().read().remembered()).isEmpty();
  }
}

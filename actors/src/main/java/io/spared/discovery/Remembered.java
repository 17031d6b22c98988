package io.spared.discovery;

import io.spared.format.Position;
import java.util.UUID;

/**
 * What this host remembers of a device it has run: the state from which it was started last.
 * Whatever is older was left behind.
 */
public record Remembered(UUID deviceId, Position position) {}

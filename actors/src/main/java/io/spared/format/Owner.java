package io.spared.format;

import java.util.UUID;

/** The host that raised an epoch. */
public record Owner(UUID hostId, String hostName) {}

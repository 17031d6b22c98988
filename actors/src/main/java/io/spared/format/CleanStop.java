package io.spared.format;

import java.util.UUID;

/** This host's own record of a device's last clean stop, kept outside the device's disks. */
public record CleanStop(UUID deviceId, Position position) {}

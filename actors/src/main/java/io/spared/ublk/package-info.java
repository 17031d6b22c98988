/**
 * The ublk frontend: a device as /dev/ublkbN. One actor per device for its life with the driver,
 * one per queue on a ring's thread for its requests.
 */
@NullMarked
package io.spared.ublk;

import org.jspecify.annotations.NullMarked;

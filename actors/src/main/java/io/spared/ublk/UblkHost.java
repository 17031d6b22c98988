package io.spared.ublk;

import io.spared.ring.Ring;
import io.spared.ring.Rings;

/**
 * What all ublk frontends of a daemon share.
 *
 * @param control the ring on whose thread frontends live and whose engine carries their commands:
 *     its entries are long enough for them
 * @param rings for the queues
 */
public record UblkHost(Ring control, Rings rings, UblkKernel kernel) {}

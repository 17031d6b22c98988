/**
 * The whole daemon in one thread: simulated time, disks, engines and dispatchers, a model of the
 * truth, and the campaigns that let faults loose on the real code. One seed is one run.
 */
@NullMarked
package io.spared.sim;

import org.jspecify.annotations.NullMarked;

/** Tools for disks while no daemon runs: making devices, looking at them, mending, leaving. */
@NullMarked
package io.spared.app.offline;

import org.jspecify.annotations.NullMarked;

/** Spare disks: who owns which extent of them, durably. */
@NullMarked
package io.spared.spare;

import org.jspecify.annotations.NullMarked;

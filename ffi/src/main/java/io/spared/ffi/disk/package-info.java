/** Disks: their addresses, geometry and identity, how they are opened, and disks made for tests. */
@NullMarked
package io.spared.ffi.disk;

import org.jspecify.annotations.NullMarked;

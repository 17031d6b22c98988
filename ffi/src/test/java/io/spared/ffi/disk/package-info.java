/** Tests of disks: opening, recognising, and injecting faults. */
@NullMarked
package io.spared.ffi.disk;

import org.jspecify.annotations.NullMarked;

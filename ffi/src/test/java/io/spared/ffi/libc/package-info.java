/** Tests of the calls to the C library. */
@NullMarked
package io.spared.ffi.libc;

import org.jspecify.annotations.NullMarked;

/**
 * The C library through jnr-ffi. For ffi's own packages: nothing above ffi uses this one, since
 * addresses, descriptors' numbers and bare errnos are handled here.
 */
@NullMarked
package io.spared.ffi.libc;

import org.jspecify.annotations.NullMarked;

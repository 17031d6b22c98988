/** Tests of rings against the running kernel. */
@NullMarked
package io.spared.ffi.uring;

import org.jspecify.annotations.NullMarked;

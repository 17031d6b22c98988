/**
 * Our own io_uring: a ring's memory, its submission and completion queues, and what is registered
 * with it. For ffi's own packages; the world uses engines.
 */
@NullMarked
package io.spared.ffi.uring;

import org.jspecify.annotations.NullMarked;

/** How bytes reach disks and sockets: one engine per thread, requests that end exactly once. */
@NullMarked
package io.spared.ffi.engine;

import org.jspecify.annotations.NullMarked;

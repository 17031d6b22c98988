/** Tests against the running system. */
@NullMarked
package io.spared.ffi.system;

import org.jspecify.annotations.NullMarked;

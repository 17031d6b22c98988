/** Tests that every engine passes. */
@NullMarked
package io.spared.ffi.engine;

import org.jspecify.annotations.NullMarked;

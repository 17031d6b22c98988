/**
 * What the outside world gives: time and randomness, injected so that a simulation can give its
 * own.
 */
@NullMarked
package io.spared.ffi.world;

import org.jspecify.annotations.NullMarked;

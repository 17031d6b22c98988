/** Rings under test, and rings stepped by hand. */
@NullMarked
package io.spared.ring;

import org.jspecify.annotations.NullMarked;

/** Deliberately broken variants of the code, each of which a test has to catch. */
@NullMarked
package io.spared.mutation;

import org.jspecify.annotations.NullMarked;

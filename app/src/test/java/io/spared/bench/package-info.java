/** Measuring the program as a whole. */
@NullMarked
package io.spared.bench;

import org.jspecify.annotations.NullMarked;

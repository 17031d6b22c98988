/** Measuring: what {@code ./spared bench NAME} runs, and how figures are judged. */
@NullMarked
package io.spared.bench;

import org.jspecify.annotations.NullMarked;

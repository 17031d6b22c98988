/** Wearing the daemon out: what {@code ./spared soak NAME} runs. */
@NullMarked
package io.spared.soak;

import org.jspecify.annotations.NullMarked;

/** Looking for damage before it matters: when, how fast, and the surface scan itself. */
@NullMarked
package io.spared.scrub;

import org.jspecify.annotations.NullMarked;

/** Leaving a spare: its blocks move to others, at a rate. */
@NullMarked
package io.spared.evacuation;

import org.jspecify.annotations.NullMarked;

/**
 * Moving a block to a slot after a media fault, so that nobody's write is lost or told too early.
 */
@NullMarked
package io.spared.relocation;

import org.jspecify.annotations.NullMarked;

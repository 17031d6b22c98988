/**
 * Where a device's blocks live: the table of remapped and pending blocks, read without locks, and
 * the slots that blocks move to.
 */
@NullMarked
package io.spared.remap;

import org.jspecify.annotations.NullMarked;

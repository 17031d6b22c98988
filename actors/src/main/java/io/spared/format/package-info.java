/**
 * What stands on disks: the changes of a device's metadata, its copies byte by byte, a spare's own
 * table, and the choice among copies. Pure functions over bytes; docs/internals/format.md describes
 * the bytes.
 */
@NullMarked
package io.spared.format;

import org.jspecify.annotations.NullMarked;

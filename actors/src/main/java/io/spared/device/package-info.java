/** One device: its life cycle, its map's only writer, and who may use it. */
@NullMarked
package io.spared.device;

import org.jspecify.annotations.NullMarked;

/**
 * The writer of a device's metadata: commits, quorum, checkpoints, repair and scrub of its copies.
 */
@NullMarked
package io.spared.metadata;

import org.jspecify.annotations.NullMarked;

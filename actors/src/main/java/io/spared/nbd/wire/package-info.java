/** The NBD protocol's numbers and frames: bytes to fields and back, nothing else. */
@NullMarked
package io.spared.nbd.wire;

import org.jspecify.annotations.NullMarked;

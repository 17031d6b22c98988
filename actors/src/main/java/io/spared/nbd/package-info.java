/** The NBD frontend: listeners and connections as actors. */
@NullMarked
package io.spared.nbd;

import org.jspecify.annotations.NullMarked;

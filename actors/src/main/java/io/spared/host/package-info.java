/** The supervisor of one host: devices come and go here, each on its own. */
@NullMarked
package io.spared.host;

import org.jspecify.annotations.NullMarked;

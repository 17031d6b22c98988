/** The client on the command line, and the tools that work without a daemon. */
@NullMarked
package io.spared.app.ctl;

import org.jspecify.annotations.NullMarked;

/** The control interface: HTTP and JSON over a Unix socket. */
@NullMarked
package io.spared.app.control;

import org.jspecify.annotations.NullMarked;

/**
 * The kernel's ublk driver: its commands and structures as bytes, the control device, and the
 * character device of one ublk device. How a device's life goes is decided above, in the actors.
 */
@NullMarked
package io.spared.ffi.ublk;

import org.jspecify.annotations.NullMarked;

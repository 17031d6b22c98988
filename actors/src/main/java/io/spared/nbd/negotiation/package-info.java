/** How an NBD client and the server agree on an export, as a pure state machine. */
@NullMarked
package io.spared.nbd.negotiation;

import org.jspecify.annotations.NullMarked;

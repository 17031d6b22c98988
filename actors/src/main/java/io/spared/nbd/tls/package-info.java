/** TLS around a connection's bytes, without threads or sockets of its own. */
@NullMarked
package io.spared.nbd.tls;

import org.jspecify.annotations.NullMarked;

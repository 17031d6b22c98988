/** What the server does with each request of the transmission phase: pure rules and accounting. */
@NullMarked
package io.spared.nbd.transmission;

import org.jspecify.annotations.NullMarked;

/** Tests of the ublk frontend, and the program that serves one device in the test VM. */
@NullMarked
package io.spared.ublk;

import org.jspecify.annotations.NullMarked;

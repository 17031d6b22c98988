/** Everything native, behind types that show no address, descriptor or bare errno. */
@NullMarked
package io.spared.ffi;

import org.jspecify.annotations.NullMarked;

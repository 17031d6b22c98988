/** One disk below a device: what its errors mean, whether it still proves itself, how it stands. */
@NullMarked
package io.spared.disk;

import org.jspecify.annotations.NullMarked;

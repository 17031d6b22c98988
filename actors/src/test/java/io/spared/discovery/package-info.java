/** Set-ups on test disks, found and judged. */
@NullMarked
package io.spared.discovery;

import org.jspecify.annotations.NullMarked;

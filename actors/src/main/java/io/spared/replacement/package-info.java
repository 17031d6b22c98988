/** Copying a disk to another while its device serves. */
@NullMarked
package io.spared.replacement;

import org.jspecify.annotations.NullMarked;

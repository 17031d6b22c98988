@NullMarked
package io.spared.format;

import org.jspecify.annotations.NullMarked;

@NullMarked
package io.spared.metadata;

import org.jspecify.annotations.NullMarked;

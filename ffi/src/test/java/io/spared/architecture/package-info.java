/**
 * What the build holds about the shape of the code: arrows between modules, and what is injected.
 */
@NullMarked
package io.spared.architecture;

import org.jspecify.annotations.NullMarked;

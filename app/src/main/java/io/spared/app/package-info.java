/** The program: its commands, and how the parts are put together. */
@NullMarked
package io.spared.app;

import org.jspecify.annotations.NullMarked;

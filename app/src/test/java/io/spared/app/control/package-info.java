@NullMarked
package io.spared.app.control;

import org.jspecify.annotations.NullMarked;

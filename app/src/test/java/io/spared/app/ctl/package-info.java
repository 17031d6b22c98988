@NullMarked
package io.spared.app.ctl;

import org.jspecify.annotations.NullMarked;

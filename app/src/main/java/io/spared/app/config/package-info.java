/** The configuration: HOCON files read into records, judged as a whole. */
@NullMarked
package io.spared.app.config;

import org.jspecify.annotations.NullMarked;

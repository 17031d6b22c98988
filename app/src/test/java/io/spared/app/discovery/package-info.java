/** What discovery gets of a machine, on directories made for the test. */
@NullMarked
package io.spared.app.discovery;

import org.jspecify.annotations.NullMarked;

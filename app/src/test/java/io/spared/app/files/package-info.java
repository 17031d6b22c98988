/** What files gets of a machine, on directories made for the test. */
@NullMarked
package io.spared.app.files;

import org.jspecify.annotations.NullMarked;

/** What the daemon remembers in its own files between runs. */
@NullMarked
package io.spared.app.files;

import org.jspecify.annotations.NullMarked;

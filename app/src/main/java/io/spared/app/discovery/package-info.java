/** What discovery gets of this machine: the list of its disks, and what it remembers. */
@NullMarked
package io.spared.app.discovery;

import org.jspecify.annotations.NullMarked;

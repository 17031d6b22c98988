/** What the whole daemon does when disks, copies and clients fail. */
@NullMarked
package io.spared.app.scenario;

import org.jspecify.annotations.NullMarked;

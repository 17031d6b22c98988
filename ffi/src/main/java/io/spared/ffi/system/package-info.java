/** The daemon and its host: the service manager, kernel events, locked memory, thread flags. */
@NullMarked
package io.spared.ffi.system;

import org.jspecify.annotations.NullMarked;

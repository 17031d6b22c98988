/** The few files that the daemon reads or marks besides disks: certificates, sockets' owners. */
@NullMarked
package io.spared.ffi.file;

import org.jspecify.annotations.NullMarked;

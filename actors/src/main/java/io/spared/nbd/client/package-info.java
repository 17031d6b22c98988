/** Exports of other NBD servers as disks: the nbd: address. */
@NullMarked
package io.spared.nbd.client;

import org.jspecify.annotations.NullMarked;

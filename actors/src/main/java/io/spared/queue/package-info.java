/**
 * A device's parallel paths: a request is looked up, cut at every remap boundary, sent to its
 * disks, judged when it fails, held where a block is being moved, and answered once.
 */
@NullMarked
package io.spared.queue;

import org.jspecify.annotations.NullMarked;

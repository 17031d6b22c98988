/**
 * Finding set-ups on disks: what stands on them, whether it is certain that it belongs together,
 * and whether a device may be started from it without a person.
 */
@NullMarked
package io.spared.discovery;

import org.jspecify.annotations.NullMarked;

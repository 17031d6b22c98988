/** The demonstration: files as disks, faults, and what becomes of them, counted. */
@NullMarked
package io.spared.app.demo;

import org.jspecify.annotations.NullMarked;

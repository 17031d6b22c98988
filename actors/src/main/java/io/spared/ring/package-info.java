/**
 * Ring dispatchers: a few threads, each of which runs its actors and turns one engine, so that an
 * actor's I/O never crosses a thread.
 */
@NullMarked
package io.spared.ring;

import org.jspecify.annotations.NullMarked;

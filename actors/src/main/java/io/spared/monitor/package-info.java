/** What happened: events, alerts and the audit log. */
@NullMarked
package io.spared.monitor;

import org.jspecify.annotations.NullMarked;

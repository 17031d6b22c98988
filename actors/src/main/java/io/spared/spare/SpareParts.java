package io.spared.spare;

import io.spared.ffi.disk.DiskOpener;
import io.spared.monitor.MonitorCommand;
import io.spared.ring.Ring;
import java.time.Duration;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;

/** What the owner of the spares is made from. */
public record SpareParts(
    Ring ring,
    DiskOpener opener,
    Executor blocking,
    ActorRef<MonitorCommand> monitor,
    Duration openDeadline,
    Duration requestTimeout) {}

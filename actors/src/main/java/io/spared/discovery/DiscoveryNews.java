package io.spared.discovery;

import java.util.List;
import java.util.Set;

/** What discovery tells itself. Each carries the number of the scan or probe that it is about. */
sealed interface DiscoveryNews extends DiscoveryCommand {
  /** It is time to look: after the start, for a retry, or once uevents have settled. */
  record Due(String why) implements DiscoveryNews {}

  /** What the system lists and the host remembers. */
  record Listed(long scan, List<BlockDevice> devices, HostMemory.Contents memory)
      implements DiscoveryNews {}

  /** Look whether the system lists other disks than before. */
  record LookAgain() implements DiscoveryNews {}

  record Looked(Set<BlockDevice> devices) implements DiscoveryNews {
    public Looked {
      devices = Set.copyOf(devices);
    }
  }

  /** The scan cannot be made. */
  record GivenUp(long scan, String sentence) implements DiscoveryNews {}

  record ServedNow(long scan, DiscoveryRequest.Served served) implements DiscoveryNews {}

  /** The system did not list its disks in time. */
  record ListOverdue(long scan) implements DiscoveryNews {}

  record Opened(long probe) implements DiscoveryNews {}

  record NotOpened(long probe, String sentence) implements DiscoveryNews {}

  /** Requests have ended. */
  record IoEnded() implements DiscoveryNews {}

  record ProbeOverdue(long probe) implements DiscoveryNews {}

  /** Buffers may be free again. */
  record TryBuffers() implements DiscoveryNews {}

  record Judged(long scan, List<Judgement> judgements) implements DiscoveryNews {}

  record Answered(long scan, SetUp setUp, DiscoveryRequest.Activation answer)
      implements DiscoveryNews {}

  /** A disk is closed. */
  record Closed(long probe) implements DiscoveryNews {}
}

package io.spared.nbd.client;

import io.spared.nbd.wire.NbdProtocol;

/** What a server said of an export. */
public record RemoteExport(
    long sizeBytes, int flags, int minimumBlockBytes, int preferredBlockBytes, long payloadBytes) {

  public boolean has(int flag) {
    return (flags & NbdProtocol.FLAG_HAS_FLAGS) != 0 && (flags & flag) != 0;
  }
}

package io.spared.nbd.negotiation;

import io.spared.nbd.wire.NbdProtocol;

/**
 * What a client is told of an export.
 *
 * @param name as the client asks for it; the empty name is the default export
 * @param minimumBlockBytes the logical sector: requests must be aligned to it
 * @param preferredBlockBytes what serves best, at least the minimum, a power of two
 * @param multiConnection whether a flush on one connection covers what was acknowledged on all
 */
public record ExportDescription(
    String name,
    String description,
    long sizeBytes,
    int minimumBlockBytes,
    int preferredBlockBytes,
    boolean readOnly,
    boolean rotational,
    boolean discard,
    boolean multiConnection) {

  public ExportDescription {
    if (Integer.bitCount(minimumBlockBytes) != 1
        || Integer.bitCount(preferredBlockBytes) != 1
        || preferredBlockBytes < minimumBlockBytes
        || sizeBytes < 0
        || sizeBytes % minimumBlockBytes != 0) {
      throw new IllegalArgumentException(
          "export "
              + name
              + ": "
              + sizeBytes
              + " bytes in blocks of "
              + minimumBlockBytes
              + ", preferred "
              + preferredBlockBytes
              + " cannot be served; sizes are whole blocks and blocks are powers of two");
    }
  }

  /**
   * The flags of the transmission phase. Fast zeroes are offered, since a client that wants them or
   * nothing then gets its refusal at once.
   */
  public int transmissionFlags(boolean structuredReplies) {
    int flags = NbdProtocol.FLAG_HAS_FLAGS | NbdProtocol.FLAG_SEND_FLUSH;
    flags |= NbdProtocol.FLAG_SEND_CACHE;
    if (readOnly) {
      flags |= NbdProtocol.FLAG_READ_ONLY;
    } else {
      flags |= NbdProtocol.FLAG_SEND_FUA;
      flags |= NbdProtocol.FLAG_SEND_WRITE_ZEROES | NbdProtocol.FLAG_SEND_FAST_ZERO;
      flags |= discard ? NbdProtocol.FLAG_SEND_TRIM : 0;
    }
    flags |= structuredReplies ? NbdProtocol.FLAG_SEND_DF : 0;
    flags |= rotational ? NbdProtocol.FLAG_ROTATIONAL : 0;
    flags |= multiConnection ? NbdProtocol.FLAG_CAN_MULTI_CONN : 0;
    return flags;
  }
}

package io.spared.nbd.transmission;

import io.spared.nbd.negotiation.Agreement;
import io.spared.nbd.negotiation.ExportDescription;
import io.spared.nbd.wire.NbdProtocol;
import io.spared.nbd.wire.RequestHeader;
import org.jspecify.annotations.Nullable;

/**
 * Says of each request whether it may be served, what it is answered if not, and how many bytes of
 * payload follow its header. Nothing is taken or kept for a request before it was judged here, and
 * a request that leaves the stream out of step ends the connection.
 */
public final class RequestRules {
  /** It may be served. */
  public static final int ADMITTED = 0;

  /** The connection must end: {@link #whyFatal}. Every other value is the error to answer. */
  public static final int FATAL = -1;

  private final boolean structured;
  private final boolean extended;
  private final long sizeBytes;
  private final long blockMask;
  private final boolean readOnly;
  private final boolean discard;
  private final boolean anyContext;
  private final int unfragmentedBytesMax;

  /**
   * The rules of one connection.
   *
   * @param unfragmentedBytesMax the longest read that can be answered in one chunk
   */
  public RequestRules(Agreement agreement, int unfragmentedBytesMax) {
    ExportDescription export = agreement.export();
    this.structured = agreement.structuredReplies();
    this.extended = agreement.extendedHeaders();
    this.sizeBytes = export.sizeBytes();
    this.blockMask = export.minimumBlockBytes() - 1L;
    this.readOnly = export.readOnly();
    this.discard = export.discard();
    this.anyContext = agreement.anyContext();
    this.unfragmentedBytesMax = unfragmentedBytesMax;
  }

  /**
   * How many bytes follow the header, whatever becomes of the request. Only meaningful when the
   * request is not {@link #FATAL}. A write's payload follows whether the flag for it is set or not,
   * since QEMU 10 leaves it out.
   */
  public long payloadBytes(RequestHeader request) {
    boolean flagged = extended && request.has(NbdProtocol.CMD_FLAG_PAYLOAD_LEN);
    return flagged || request.type() == NbdProtocol.CMD_WRITE ? request.lengthBytes() : 0;
  }

  /** {@link #ADMITTED}, {@link #FATAL}, or the protocol's error to answer. */
  public int judge(RequestHeader request) {
    long payloadBytes = payloadBytes(request);
    if (payloadBytes < 0 || payloadBytes > NbdProtocol.PAYLOAD_BYTES_MAX) {
      return FATAL;
    }
    return switch (request.type()) {
      case NbdProtocol.CMD_READ -> read(request);
      case NbdProtocol.CMD_WRITE -> write(request);
      case NbdProtocol.CMD_DISC -> ADMITTED;
      case NbdProtocol.CMD_FLUSH -> flush(request);
      case NbdProtocol.CMD_TRIM ->
          discard
              ? changing(request, NbdProtocol.CMD_FLAG_FUA)
              : readOnly ? NbdProtocol.EPERM : NbdProtocol.EINVAL;
      case NbdProtocol.CMD_WRITE_ZEROES -> writeZeroes(request);
      case NbdProtocol.CMD_CACHE ->
          flagged(request, 0) ? inside(request, false) : NbdProtocol.EINVAL;
      case NbdProtocol.CMD_BLOCK_STATUS ->
          anyContext && flagged(request, NbdProtocol.CMD_FLAG_REQ_ONE)
              ? inside(request, false)
              : NbdProtocol.EINVAL;
      default -> NbdProtocol.EINVAL;
    };
  }

  /** Why the request is {@link #FATAL}. */
  public @Nullable String whyFatal(RequestHeader request) {
    return judge(request) == FATAL
        ? "a payload of "
            + Long.toUnsignedString(request.lengthBytes())
            + " bytes was announced, at most "
            + NbdProtocol.PAYLOAD_BYTES_MAX
            + " can follow a request"
        : null;
  }

  private int read(RequestHeader request) {
    if (!flagged(request, structured ? NbdProtocol.CMD_FLAG_DF : 0)) {
      return NbdProtocol.EINVAL;
    }
    int verdict = inside(request, false);
    if (verdict != ADMITTED) {
      return verdict;
    }
    long limitBytes =
        request.has(NbdProtocol.CMD_FLAG_DF) ? unfragmentedBytesMax : NbdProtocol.PAYLOAD_BYTES_MAX;
    return request.lengthBytes() > limitBytes ? NbdProtocol.EOVERFLOW : ADMITTED;
  }

  private int write(RequestHeader request) {
    int allowed = NbdProtocol.CMD_FLAG_FUA | (extended ? NbdProtocol.CMD_FLAG_PAYLOAD_LEN : 0);
    return changing(request, allowed);
  }

  private int writeZeroes(RequestHeader request) {
    int verdict =
        changing(
            request,
            NbdProtocol.CMD_FLAG_FUA
                | NbdProtocol.CMD_FLAG_NO_HOLE
                | NbdProtocol.CMD_FLAG_FAST_ZERO);
    // Zeroes may have to be written out over remapped blocks; faster than a write is not promised.
    return verdict == ADMITTED && request.has(NbdProtocol.CMD_FLAG_FAST_ZERO)
        ? NbdProtocol.ENOTSUP
        : verdict;
  }

  private int flush(RequestHeader request) {
    return flagged(request, NbdProtocol.CMD_FLAG_FUA) ? ADMITTED : NbdProtocol.EINVAL;
  }

  private int changing(RequestHeader request, int allowedFlags) {
    if (readOnly) {
      return NbdProtocol.EPERM;
    }
    return flagged(request, allowedFlags) ? inside(request, true) : NbdProtocol.EINVAL;
  }

  private static boolean flagged(RequestHeader request, int allowedFlags) {
    // FUA means nothing where nothing is changed, and some clients set it all the same.
    return (request.flags() & ~(allowedFlags | NbdProtocol.CMD_FLAG_FUA)) == 0;
  }

  private int inside(RequestHeader request, boolean changes) {
    long offsetBytes = request.offsetBytes();
    long lengthBytes = request.lengthBytes();
    if (lengthBytes <= 0 || ((offsetBytes | lengthBytes) & blockMask) != 0) {
      return NbdProtocol.EINVAL;
    }
    if (offsetBytes < 0 || offsetBytes > sizeBytes || lengthBytes > sizeBytes - offsetBytes) {
      return changes ? NbdProtocol.ENOSPC : NbdProtocol.EINVAL;
    }
    return ADMITTED;
  }
}

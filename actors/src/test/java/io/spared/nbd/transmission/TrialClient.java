package io.spared.nbd.transmission;

import io.spared.nbd.negotiation.Agreement;
import io.spared.nbd.negotiation.MetaContexts;
import io.spared.nbd.wire.NbdProtocol;
import io.spared.nbd.wire.RequestHeader;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * A client that knows what each sector holds, and checks every byte and every frame of what it is
 * answered. Requests that it has under way never overlap, so that there is one truth.
 */
final class TrialClient {
  private static final long UNKNOWN = -1;
  private static final int SECTOR = 512;

  private record Asked(int type, long offsetBytes, long lengthBytes, int error, long stamp) {}

  private final Agreement agreement;
  private final RandomGenerator random;
  private final LongPredicate isBad;
  private final Supplier<? extends Collection<Long>> badSectors;
  private final long[] stamps;
  private final BitSet busy;
  private final Map<Long, Asked> asked = new HashMap<>();
  private final Map<Long, BitSet> covered = new HashMap<>();
  private final Set<Long> errorsTold = new HashSet<>();
  private ByteBuffer in = ByteBuffer.allocate(0);
  private long cookies;
  private long nextStamp = 1;
  private long answered;
  private long errors;
  private long holes;

  /**
   * @param badSectors those that cannot be read now; a third of the reads is aimed at one
   */
  TrialClient(
      Agreement agreement,
      RandomGenerator random,
      LongPredicate isBad,
      Supplier<? extends Collection<Long>> badSectors) {
    this.agreement = agreement;
    this.random = random;
    this.isBad = isBad;
    this.badSectors = badSectors;
    int sectors = (int) (agreement.export().sizeBytes() / SECTOR);
    this.stamps = new long[sectors];
    this.busy = new BitSet(sectors);
  }

  int underWay() {
    return asked.size();
  }

  long answered() {
    return answered;
  }

  long errors() {
    return errors;
  }

  /** Zeroes that were told and not sent. */
  long holes() {
    return holes;
  }

  /** The next request's bytes; empty when it would overlap another. */
  byte[] next() {
    int kind = random.nextInt(20);
    if (kind == 0) {
      return request(NbdProtocol.CMD_FLUSH, 0, 0, 0, 0, new byte[0]);
    }
    if (kind == 1) {
      return wrong();
    }
    int sectors = stamps.length;
    int longest = random.nextInt(8) == 0 ? 1200 : random.nextInt(4) == 0 ? 130 : 16;
    int length = 1 + random.nextInt(Math.min(longest, sectors));
    boolean aimed = kind < 9 && random.nextInt(3) == 0;
    int first = aimed ? aim(length) : random.nextInt(sectors - length + 1);
    int next = busy.nextSetBit(first);
    if (next >= 0 && next < first + length) {
      return new byte[0];
    }
    busy.set(first, first + length);
    long offset = (long) first * SECTOR;
    long bytes = (long) length * SECTOR;
    if (kind < 9) {
      int df =
          agreement.structuredReplies() && bytes <= 32 << 10 && random.nextInt(4) == 0
              ? NbdProtocol.CMD_FLAG_DF
              : 0;
      return request(NbdProtocol.CMD_READ, df, offset, bytes, 0, new byte[0]);
    }
    int fua = random.nextInt(4) == 0 ? NbdProtocol.CMD_FLAG_FUA : 0;
    if (kind < 16) {
      int payloadFlag = payloadFlag();
      byte[] payload = new byte[(int) bytes];
      long stamp = nextStamp++;
      for (int i = 0; i < length; i++) {
        fill(payload, i * SECTOR, first + i, stamp);
      }
      return request(NbdProtocol.CMD_WRITE, fua | payloadFlag, offset, bytes, stamp, payload);
    }
    if (kind == 16) {
      return request(NbdProtocol.CMD_TRIM, fua, offset, bytes, 0, new byte[0]);
    }
    if (kind == 17) {
      return request(NbdProtocol.CMD_WRITE_ZEROES, fua, offset, bytes, 0, new byte[0]);
    }
    if (kind == 18 && agreement.anyContext()) {
      return request(NbdProtocol.CMD_BLOCK_STATUS, 0, offset, bytes, 0, new byte[0]);
    }
    return request(NbdProtocol.CMD_CACHE, 0, offset, bytes, 0, new byte[0]);
  }

  /** With extended headers a write is to have this flag; not every client gives it. */
  private int payloadFlag() {
    return agreement.extendedHeaders() && random.nextInt(3) > 0
        ? NbdProtocol.CMD_FLAG_PAYLOAD_LEN
        : 0;
  }

  private int aim(int length) {
    List<Long> bad = List.copyOf(badSectors.get());
    int last = stamps.length - length;
    if (bad.isEmpty()) {
      return random.nextInt(last + 1);
    }
    int first = bad.get(random.nextInt(bad.size())).intValue() - random.nextInt(length);
    return Math.clamp(first, 0, last);
  }

  byte[] disconnect() {
    return request(NbdProtocol.CMD_DISC, 0, 0, 0, 0, new byte[0]);
  }

  /** A request that must be refused without any harm to the stream. */
  private byte[] wrong() {
    long size = agreement.export().sizeBytes();
    return switch (random.nextInt(5)) {
      case 0 -> refused(NbdProtocol.CMD_READ, 0, size, SECTOR, NbdProtocol.EINVAL, 0);
      case 1 -> refused(NbdProtocol.CMD_READ, 0, 1, SECTOR, NbdProtocol.EINVAL, 0);
      case 2 -> refused(99, 0, 0, SECTOR, NbdProtocol.EINVAL, 0);
      case 3 ->
          refused(
              NbdProtocol.CMD_WRITE_ZEROES,
              NbdProtocol.CMD_FLAG_FAST_ZERO,
              0,
              SECTOR,
              NbdProtocol.ENOTSUP,
              0);
      default -> {
        int payloadFlag = payloadFlag();
        yield refused(
            NbdProtocol.CMD_WRITE, payloadFlag, size, 3 * SECTOR, NbdProtocol.ENOSPC, 3 * SECTOR);
      }
    };
  }

  private byte[] refused(
      int type, int flags, long offset, long length, int error, int payloadBytes) {
    long cookie = cookies++;
    asked.put(cookie, new Asked(type, offset, length, error, 0));
    return frame(type, flags, cookie, offset, length, new byte[payloadBytes]);
  }

  private byte[] request(
      int type, int flags, long offset, long length, long stamp, byte[] payload) {
    long cookie = cookies++;
    if (type != NbdProtocol.CMD_DISC) {
      asked.put(cookie, new Asked(type, offset, length, 0, stamp));
    }
    return frame(type, flags, cookie, offset, length, payload);
  }

  private byte[] frame(int type, int flags, long cookie, long offset, long length, byte[] payload) {
    boolean extended = agreement.extendedHeaders();
    ByteBuffer out = ByteBuffer.allocate(RequestHeader.bytes(extended) + payload.length);
    RequestHeader.write(out, extended, flags, type, cookie, offset, length);
    return out.put(payload).array();
  }

  private static void fill(byte[] into, int at, long sector, long stamp) {
    ByteBuffer bytes = ByteBuffer.wrap(into, at, SECTOR);
    for (int i = 0; i < SECTOR; i += 16) {
      bytes.putLong(stamp).putLong(sector * 31 + i);
    }
  }

  // Replies.

  /** Takes what has arrived, and checks all whole frames of it. */
  void takes(byte[] bytes) {
    ByteBuffer joined = ByteBuffer.allocate(in.remaining() + bytes.length);
    joined.put(in).put(bytes).flip();
    in = joined;
    boolean whole = true;
    while (whole) {
      in.mark();
      whole = in.remaining() >= 4 && frame();
      if (!whole) {
        in.reset();
      }
    }
  }

  private boolean frame() {
    int magic = in.getInt();
    if (magic == NbdProtocol.SIMPLE_REPLY_MAGIC) {
      check(!agreement.extendedHeaders(), "a simple reply after extended headers");
      return simple();
    }
    if (agreement.extendedHeaders()) {
      check(magic == NbdProtocol.EXTENDED_REPLY_MAGIC, "a reply of another kind");
    } else {
      check(
          agreement.structuredReplies() && magic == NbdProtocol.STRUCTURED_REPLY_MAGIC,
          "a reply of another kind");
    }
    return chunk();
  }

  private boolean simple() {
    if (in.remaining() < 12) {
      return false;
    }
    int error = in.getInt();
    long cookie = in.getLong();
    Asked request = find(cookie);
    if (request.type() == NbdProtocol.CMD_READ) {
      check(!agreement.structuredReplies(), "a simple reply to a read");
      if (error == 0) {
        if (in.remaining() < request.lengthBytes()) {
          return false;
        }
        data(cookie, request, request.offsetBytes(), (int) request.lengthBytes());
      }
    }
    ended(cookie, request, error);
    return true;
  }

  private boolean chunk() {
    boolean extended = agreement.extendedHeaders();
    if (in.remaining() < (extended ? 28 : 16)) {
      return false;
    }
    int flags = in.getShort();
    int type = Short.toUnsignedInt(in.getShort());
    long cookie = in.getLong();
    Asked request = find(cookie);
    if (extended) {
      check(in.getLong() == request.offsetBytes(), "a reply with another offset");
    }
    long length = extended ? in.getLong() : Integer.toUnsignedLong(in.getInt());
    check(length <= 33 << 20, "a chunk of " + length + " bytes");
    if (in.remaining() < length) {
      return false;
    }
    boolean last = (flags & NbdProtocol.REPLY_FLAG_DONE) != 0;
    int error = 0;
    switch (type) {
      case NbdProtocol.REPLY_TYPE_NONE -> check(length == 0 && last, "an empty chunk in between");
      case NbdProtocol.REPLY_TYPE_OFFSET_DATA ->
          data(cookie, request, in.getLong(), (int) length - 8);
      case NbdProtocol.REPLY_TYPE_OFFSET_HOLE -> {
        check(length == 12, "a malformed hole");
        long at = in.getLong();
        hole(cookie, request, at, in.getInt());
      }
      case NbdProtocol.REPLY_TYPE_ERROR -> {
        error = in.getInt();
        check(in.getShort() == 0 && length == 6, "a malformed error");
        check(error != 0, "an error of none");
      }
      case NbdProtocol.REPLY_TYPE_ERROR_OFFSET -> {
        check(in.getInt() == NbdProtocol.EIO, "another error than EIO");
        check(in.getShort() == 0 && length == 14, "a malformed error");
        long at = in.getLong();
        check(isBad.test(at / SECTOR), "an error at a good sector, offset " + at);
        errorsTold.add(cookie);
        errors++;
      }
      case NbdProtocol.REPLY_TYPE_BLOCK_STATUS, NbdProtocol.REPLY_TYPE_BLOCK_STATUS_EXT ->
          status(request, (int) length);
      default -> throw new AssertionError("a chunk of type " + type);
    }
    if (last) {
      ended(cookie, request, error);
    }
    return true;
  }

  private void status(Asked request, int length) {
    int id = in.getInt();
    check(id == MetaContexts.ALLOCATION_ID || id == MetaContexts.REMAP_ID, "context " + id);
    boolean extended = agreement.extendedHeaders();
    int ranges = extended ? in.getInt() : (length - 4) / 8;
    check(ranges > 0, "no range at all");
    long total = 0;
    for (int i = 0; i < ranges; i++) {
      long bytes = extended ? in.getLong() : Integer.toUnsignedLong(in.getInt());
      long state = extended ? in.getLong() : Integer.toUnsignedLong(in.getInt());
      check(bytes > 0 && bytes % SECTOR == 0, "a range of " + bytes + " bytes");
      check(state == 0, "state " + state + " of a device without remaps");
      total += bytes;
    }
    check(total == request.lengthBytes(), "ranges of " + total + " bytes");
  }

  private Asked find(long cookie) {
    Asked request = asked.get(cookie);
    if (request == null) {
      throw new AssertionError("a reply to nothing, cookie " + cookie);
    }
    return request;
  }

  /** As if the zeroes had been sent. */
  private void hole(long cookie, Asked request, long offset, int length) {
    ByteBuffer behind = in;
    in = ByteBuffer.allocate(length);
    data(cookie, request, offset, length);
    in = behind;
    holes++;
  }

  private void data(long cookie, Asked request, long offset, int length) {
    check(request.type() == NbdProtocol.CMD_READ, "data without a read");
    check(
        offset >= request.offsetBytes()
            && length > 0
            && offset + length <= request.offsetBytes() + request.lengthBytes(),
        "data outside of the request");
    BitSet seen = covered.computeIfAbsent(cookie, _ -> new BitSet());
    byte[] expected = new byte[SECTOR];
    byte[] found = new byte[SECTOR];
    for (int i = 0; i < length; i += SECTOR) {
      in.get(found);
      int sector = (int) ((offset + i) / SECTOR);
      check(!seen.get(sector), "sector " + sector + " was sent twice");
      seen.set(sector);
      long stamp = stamps[sector];
      if (stamp != UNKNOWN) {
        Arrays.fill(expected, (byte) 0);
        if (stamp > 0) {
          fill(expected, 0, sector, stamp);
        }
        check(Arrays.equals(expected, found), "sector " + sector + " holds other bytes");
      }
    }
  }

  private void ended(long cookie, Asked request, int error) {
    asked.remove(cookie);
    BitSet seen = covered.remove(cookie);
    answered++;
    if (request.error() != 0) {
      check(error == request.error(), "refused with " + error + " instead of " + request.error());
      return;
    }
    int first = (int) (request.offsetBytes() / SECTOR);
    int end = first + (int) (request.lengthBytes() / SECTOR);
    busy.clear(first, end);
    boolean anyBad = false;
    for (int sector = first; sector < end; sector++) {
      anyBad |= isBad.test(sector);
    }
    if (request.type() == NbdProtocol.CMD_READ) {
      if (error != 0) {
        check(error == NbdProtocol.EIO && anyBad, "error " + error + " of good sectors");
        errors++;
      }
      boolean told = errorsTold.remove(cookie) || error != 0;
      check(told == anyBad, told ? "an error of good sectors" : "an error was not told");
      for (int sector = first; sector < end && error == 0; sector++) {
        boolean sent = seen != null && seen.get(sector);
        check(sent || isBad.test(sector), "good sector " + sector + " was not sent");
        check(!sent || !isBad.test(sector), "bad sector " + sector + " was sent");
      }
      return;
    }
    check(error == 0, "error " + error + " of request type " + request.type());
    for (int sector = first; sector < end; sector++) {
      switch (request.type()) {
        case NbdProtocol.CMD_WRITE -> stamps[sector] = request.stamp();
        case NbdProtocol.CMD_WRITE_ZEROES -> stamps[sector] = 0;
        case NbdProtocol.CMD_TRIM -> stamps[sector] = UNKNOWN;
        default -> {}
      }
    }
  }

  private static void check(boolean held, String what) {
    if (!held) {
      throw new AssertionError(what);
    }
  }
}

package io.spared.nbd.client;

import io.spared.nbd.wire.NbdProtocol;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of the negotiation, without sockets: asks for one export by GO, with simple
 * replies and compact headers, which every server has. A server's lengths are checked before
 * anything is kept for them.
 */
public final class ClientNegotiation {
  /** Sentences and descriptions of servers are short; anything longer is not one. */
  private static final int DATA_BYTES_MAX = 16 << 10;

  /** A receive buffer that holds so much is always enough. */
  public static final int INPUT_BYTES_MAX = DATA_BYTES_MAX + 20;

  private static final int REPLIES_MAX = 64;

  private enum State {
    GREETING,
    REPLIES,
    OVER
  }

  private final String export;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private State state = State.GREETING;
  private int replies;
  private long sizeBytes = -1;
  private int flags;
  private int minimumBlockBytes = 512;
  private int preferredBlockBytes = 4096;
  private long payloadBytes = NbdProtocol.PAYLOAD_BYTES_MAX;
  private @Nullable RemoteExport agreed;
  private @Nullable String failure;

  public ClientNegotiation(String export) {
    this.export = export;
  }

  /** What has to be sent now; empty when nothing. */
  public byte[] takeOutput() {
    byte[] bytes = out.toByteArray();
    out.reset();
    return bytes;
  }

  /** What was agreed; null until then. */
  public @Nullable RemoteExport agreed() {
    return agreed;
  }

  /** Why there is no agreement; null as long as there may be one. */
  public @Nullable String failure() {
    return failure;
  }

  /** Goes as far as the bytes allow and moves the position behind what was used. */
  public void advance(ByteBuffer in) {
    in.order(ByteOrder.BIG_ENDIAN);
    boolean progress = true;
    while (progress && state != State.OVER) {
      progress = state == State.GREETING ? greeting(in) : reply(in);
    }
  }

  private boolean greeting(ByteBuffer in) {
    if (in.remaining() < 18) {
      return false;
    }
    if (in.getLong() != NbdProtocol.NBDMAGIC || in.getLong() != NbdProtocol.IHAVEOPT) {
      return fail("it does not speak NBD's newstyle negotiation");
    }
    int offered = Short.toUnsignedInt(in.getShort());
    if ((offered & NbdProtocol.FLAG_FIXED_NEWSTYLE) == 0) {
      return fail("it has only the old negotiation");
    }
    byte[] name = export.getBytes(StandardCharsets.UTF_8);
    ByteBuffer go = ByteBuffer.allocate(4 + 16 + 4 + name.length + 4);
    go.putInt(offered & (NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES));
    go.putLong(NbdProtocol.IHAVEOPT).putInt(NbdProtocol.OPT_GO).putInt(4 + name.length + 4);
    go.putInt(name.length).put(name);
    go.putShort((short) 1).putShort((short) NbdProtocol.INFO_BLOCK_SIZE);
    out.writeBytes(go.array());
    state = State.REPLIES;
    return true;
  }

  private boolean reply(ByteBuffer in) {
    if (in.remaining() < 20) {
      return false;
    }
    int start = in.position();
    if (in.getLong(start) != NbdProtocol.REPLY_MAGIC
        || in.getInt(start + 8) != NbdProtocol.OPT_GO) {
      return fail("its reply to GO is not one");
    }
    int type = in.getInt(start + 12);
    long lengthBytes = Integer.toUnsignedLong(in.getInt(start + 16));
    if (lengthBytes > DATA_BYTES_MAX || ++replies > REPLIES_MAX) {
      return fail("its reply to GO is too long");
    }
    if (in.remaining() < 20 + lengthBytes) {
      return false;
    }
    ByteBuffer data = in.slice(start + 20, (int) lengthBytes).order(ByteOrder.BIG_ENDIAN);
    in.position(start + 20 + (int) lengthBytes);
    if ((type & NbdProtocol.REP_ERROR_BIT) != 0) {
      String sentence = StandardCharsets.UTF_8.decode(data).toString();
      return fail(
          "it refused ("
              + Integer.toHexString(type)
              + ")"
              + (sentence.isEmpty() ? "" : ": " + sentence));
    }
    return switch (type) {
      case NbdProtocol.REP_INFO -> information(data);
      case NbdProtocol.REP_ACK -> acknowledged();
      default -> fail("its reply to GO has type " + type);
    };
  }

  private boolean information(ByteBuffer data) {
    if (data.remaining() < 2) {
      return fail("an information is too short");
    }
    int kind = Short.toUnsignedInt(data.getShort());
    if (kind == NbdProtocol.INFO_EXPORT) {
      if (data.remaining() != 10) {
        return fail("the export's size is malformed");
      }
      sizeBytes = data.getLong();
      flags = Short.toUnsignedInt(data.getShort());
    } else if (kind == NbdProtocol.INFO_BLOCK_SIZE) {
      if (data.remaining() != 12) {
        return fail("the block sizes are malformed");
      }
      minimumBlockBytes = data.getInt();
      preferredBlockBytes = data.getInt();
      payloadBytes = Integer.toUnsignedLong(data.getInt());
      if (Integer.bitCount(minimumBlockBytes) != 1
          || Integer.bitCount(preferredBlockBytes) != 1
          || minimumBlockBytes > 64 << 10
          || payloadBytes < minimumBlockBytes) {
        return fail("the block sizes make no sense");
      }
    }
    return true;
  }

  private boolean acknowledged() {
    if (sizeBytes < 0) {
      return fail("it did not say the export's size");
    }
    agreed =
        new RemoteExport(sizeBytes, flags, minimumBlockBytes, preferredBlockBytes, payloadBytes);
    state = State.OVER;
    return false;
  }

  private boolean fail(String why) {
    failure = why;
    state = State.OVER;
    return false;
  }
}

package io.spared.nbd.negotiation;

import io.spared.nbd.wire.NbdProtocol;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** What a client sends in the negotiation, built piece by piece. */
final class OptionBytes {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  static OptionBytes client() {
    return new OptionBytes().integer(NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES);
  }

  OptionBytes integer(int value) {
    bytes.writeBytes(ByteBuffer.allocate(4).putInt(value).array());
    return this;
  }

  OptionBytes option(int option, byte[] data) {
    bytes.writeBytes(
        ByteBuffer.allocate(16)
            .putLong(NbdProtocol.IHAVEOPT)
            .putInt(option)
            .putInt(data.length)
            .array());
    bytes.writeBytes(data);
    return this;
  }

  OptionBytes option(int option) {
    return option(option, new byte[0]);
  }

  OptionBytes go(int option, String name, int... information) {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    ByteBuffer data = ByteBuffer.allocate(4 + text.length + 2 + 2 * information.length);
    data.putInt(text.length).put(text).putShort((short) information.length);
    for (int kind : information) {
      data.putShort((short) kind);
    }
    return option(option, data.array());
  }

  OptionBytes contexts(int option, String name, String... queries) {
    ByteBuffer data = ByteBuffer.allocate(16 << 10);
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    data.putInt(text.length).put(text).putInt(queries.length);
    for (String query : queries) {
      byte[] queryText = query.getBytes(StandardCharsets.UTF_8);
      data.putInt(queryText.length).put(queryText);
    }
    byte[] exact = new byte[data.position()];
    data.flip().get(exact);
    return option(option, exact);
  }

  byte[] toBytes() {
    return bytes.toByteArray();
  }

  ByteBuffer toBuffer() {
    return ByteBuffer.wrap(toBytes());
  }
}

package io.spared.nbd.negotiation;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.nbd.wire.NbdProtocol;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** One reply of the negotiation, read back as a client reads it. */
record OptionReply(int option, int type, ByteBuffer data) {

  static List<OptionReply> all(byte[] bytes) {
    List<OptionReply> replies = new ArrayList<>();
    ByteBuffer in = ByteBuffer.wrap(bytes);
    while (in.hasRemaining()) {
      assertThat(in.getLong()).isEqualTo(NbdProtocol.REPLY_MAGIC);
      int option = in.getInt();
      int type = in.getInt();
      byte[] data = new byte[in.getInt()];
      in.get(data);
      replies.add(new OptionReply(option, type, ByteBuffer.wrap(data).asReadOnlyBuffer()));
    }
    return replies;
  }

  String text() {
    return StandardCharsets.UTF_8.decode(data.duplicate()).toString();
  }

  ByteBuffer buffer() {
    return data.duplicate();
  }
}

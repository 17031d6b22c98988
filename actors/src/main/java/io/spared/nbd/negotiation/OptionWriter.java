package io.spared.nbd.negotiation;

import io.spared.nbd.wire.NbdProtocol;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Collects the bytes of the negotiation's replies until their owner sends them. */
final class OptionWriter {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);

  void reply(int option, int type, byte[] data) {
    ByteBuffer header = ByteBuffer.allocate(20);
    header.putLong(NbdProtocol.REPLY_MAGIC).putInt(option).putInt(type).putInt(data.length);
    bytes.writeBytes(header.array());
    bytes.writeBytes(data);
  }

  void acknowledge(int option) {
    reply(option, NbdProtocol.REP_ACK, new byte[0]);
  }

  /** An error, with a sentence for people. */
  void error(int option, int type, String sentence) {
    byte[] text = sentence.getBytes(StandardCharsets.UTF_8);
    if (text.length > NbdProtocol.STRING_BYTES_MAX) {
      text = "refused".getBytes(StandardCharsets.UTF_8);
    }
    reply(option, type, text);
  }

  void raw(byte[] data) {
    bytes.writeBytes(data);
  }

  byte[] take() {
    byte[] all = bytes.toByteArray();
    bytes.reset();
    return all;
  }

  int sizeBytes() {
    return bytes.size();
  }
}

package io.spared.nbd.negotiation;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.nbd.negotiation.NegotiationStep.Ask;
import io.spared.nbd.negotiation.NegotiationStep.End;
import io.spared.nbd.negotiation.NegotiationStep.MoreBytes;
import io.spared.nbd.negotiation.NegotiationStep.StartTls;
import io.spared.nbd.negotiation.NegotiationStep.Transmit;
import io.spared.nbd.wire.NbdProtocol;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ServerNegotiationTest {
  private static final ExportDescription ARCHIVE =
      new ExportDescription("archive", "an old disk", 64 << 20, 512, 4096, false, true, true, true);

  /**
   * Goes through all of the input, answering what is asked as a directory with one export would.
   */
  private static NegotiationStep run(ServerNegotiation negotiation, ByteBuffer in) {
    NegotiationStep step = negotiation.advance(in);
    while (step instanceof Ask ask) {
      Answer answer =
          switch (ask.question()) {
            case Question.Names _ ->
                new Answer.Names(List.of(new Answer.Name("archive", "an old disk")));
            case Question.Find find ->
                find.name().equals("archive")
                    ? new Answer.Found(ARCHIVE)
                    : new Answer.Refused(Answer.Refusal.UNKNOWN, "no export " + find.name());
            case Question.Open _ -> new Answer.Opened();
          };
      step = negotiation.answer(answer);
      if (step == null) {
        step = negotiation.advance(in);
      }
    }
    return step;
  }

  private static ServerNegotiation greeted(TlsMode tls) {
    ServerNegotiation negotiation = new ServerNegotiation(tls);
    assertThat(ByteBuffer.wrap(negotiation.takeOutput()).getLong()).isEqualTo(NbdProtocol.NBDMAGIC);
    return negotiation;
  }

  @Test
  void goTellsSizeFlagsAndBlockSizesAndBeginsTheTransmission() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_STRUCTURED_REPLY)
            .go(NbdProtocol.OPT_GO, "archive", NbdProtocol.INFO_BLOCK_SIZE, NbdProtocol.INFO_NAME)
            .toBuffer();

    NegotiationStep step = run(negotiation, in);

    assertThat(step).isEqualTo(new Transmit(new Agreement(ARCHIVE, true, false, false, false)));
    List<OptionReply> replies = OptionReply.all(negotiation.takeOutput());
    assertThat(replies)
        .extracting(OptionReply::type)
        .containsExactly(
            NbdProtocol.REP_ACK,
            NbdProtocol.REP_INFO,
            NbdProtocol.REP_INFO,
            NbdProtocol.REP_INFO,
            NbdProtocol.REP_ACK);
    ByteBuffer export = replies.get(1).buffer();
    assertThat(export.getShort()).isEqualTo((short) NbdProtocol.INFO_EXPORT);
    assertThat(export.getLong()).isEqualTo(64 << 20);
    int flags = Short.toUnsignedInt(export.getShort());
    assertThat(flags & NbdProtocol.FLAG_CAN_MULTI_CONN).isNotZero();
    assertThat(flags & NbdProtocol.FLAG_SEND_DF).isNotZero();
    assertThat(flags & NbdProtocol.FLAG_ROTATIONAL).isNotZero();
    ByteBuffer blocks = replies.get(3).buffer();
    assertThat(blocks.getShort()).isEqualTo((short) NbdProtocol.INFO_BLOCK_SIZE);
    assertThat(blocks.getInt()).isEqualTo(512);
    assertThat(blocks.getInt()).isEqualTo(4096);
    assertThat(blocks.getInt()).isEqualTo(32 << 20);
  }

  @Test
  void anInputThatArrivesByteByByteGivesTheSame() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    byte[] bytes =
        OptionBytes.client()
            .option(NbdProtocol.OPT_EXTENDED_HEADERS)
            .contexts(
                NbdProtocol.OPT_SET_META_CONTEXT, "archive", "base:allocation", "spared:remap")
            .go(NbdProtocol.OPT_GO, "archive")
            .toBytes();
    ByteBuffer in = ByteBuffer.wrap(bytes);
    NegotiationStep step = new MoreBytes();
    for (int available = 1; available <= bytes.length; available++) {
      assertThat(step).isInstanceOf(MoreBytes.class);
      in.limit(available);
      step = run(negotiation, in);
    }
    assertThat(step).isEqualTo(new Transmit(new Agreement(ARCHIVE, true, true, true, true)));
    assertThat(in.hasRemaining()).isFalse();
  }

  @Test
  void theOldWayToNameAnExportPadsUnlessAskedNotTo() {
    for (int flags :
        new int[] {
          NbdProtocol.FLAG_FIXED_NEWSTYLE,
          NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES
        }) {
      ServerNegotiation negotiation = greeted(TlsMode.OFF);
      ByteBuffer in =
          new OptionBytes()
              .integer(flags)
              .option(NbdProtocol.OPT_EXPORT_NAME, "archive".getBytes(StandardCharsets.UTF_8))
              .toBuffer();
      assertThat(run(negotiation, in)).isInstanceOf(Transmit.class);
      assertThat(negotiation.takeOutput())
          .hasSize((flags & NbdProtocol.FLAG_NO_ZEROES) == 0 ? 134 : 10);
    }
  }

  @Test
  void anUnknownExportIsRefusedAndTheNegotiationGoesOn() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .go(NbdProtocol.OPT_GO, "nothing")
            .option(77)
            .option(NbdProtocol.OPT_LIST)
            .option(NbdProtocol.OPT_ABORT)
            .toBuffer();
    assertThat(run(negotiation, in))
        .isInstanceOfSatisfying(End.class, e -> assertThat(e.orderly()).isTrue());
    assertThat(OptionReply.all(negotiation.takeOutput()))
        .extracting(OptionReply::type)
        .containsExactly(
            NbdProtocol.REP_ERR_UNKNOWN,
            NbdProtocol.REP_ERR_UNSUP,
            NbdProtocol.REP_SERVER,
            NbdProtocol.REP_ACK,
            NbdProtocol.REP_ACK);
  }

  @Test
  void contextsThatWereSetForAnotherExportAreForgotten() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_STRUCTURED_REPLY)
            .contexts(NbdProtocol.OPT_SET_META_CONTEXT, "archive", "spared:remap")
            .contexts(NbdProtocol.OPT_SET_META_CONTEXT, "nothing", "spared:remap")
            .go(NbdProtocol.OPT_GO, "archive")
            .toBuffer();
    assertThat(run(negotiation, in))
        .isEqualTo(new Transmit(new Agreement(ARCHIVE, true, false, false, false)));
  }

  @Test
  void contextsNeedStructuredReplies() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .contexts(NbdProtocol.OPT_SET_META_CONTEXT, "archive", "spared:remap")
            .toBuffer();
    assertThat(run(negotiation, in)).isInstanceOf(MoreBytes.class);
    assertThat(OptionReply.all(negotiation.takeOutput()))
        .extracting(OptionReply::type)
        .containsExactly(NbdProtocol.REP_ERR_INVALID);
  }

  @Test
  void aNamespaceListsItsContexts() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_STRUCTURED_REPLY)
            .contexts(NbdProtocol.OPT_LIST_META_CONTEXT, "archive", "spared:")
            .contexts(NbdProtocol.OPT_LIST_META_CONTEXT, "archive")
            .toBuffer();
    run(negotiation, in);
    assertThat(
            OptionReply.all(negotiation.takeOutput()).stream()
                .filter(reply -> reply.type() == NbdProtocol.REP_META_CONTEXT)
                .map(reply -> reply.text().substring(4)))
        .containsExactly("spared:remap", "base:allocation", "spared:remap");
  }

  @Test
  void whereTlsIsRequiredNothingIsToldBeforeIt() {
    ServerNegotiation negotiation = greeted(TlsMode.REQUIRED);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_LIST)
            .go(NbdProtocol.OPT_GO, "archive")
            .option(NbdProtocol.OPT_STRUCTURED_REPLY)
            .option(NbdProtocol.OPT_STARTTLS)
            .toBuffer();
    assertThat(negotiation.advance(in)).isInstanceOf(StartTls.class);
    assertThat(OptionReply.all(negotiation.takeOutput()))
        .extracting(OptionReply::type)
        .containsExactly(
            NbdProtocol.REP_ERR_TLS_REQD,
            NbdProtocol.REP_ERR_TLS_REQD,
            NbdProtocol.REP_ERR_TLS_REQD,
            NbdProtocol.REP_ACK);
    negotiation.secured();
    assertThat(run(negotiation, new OptionBytes().go(NbdProtocol.OPT_GO, "archive").toBuffer()))
        .isInstanceOf(Transmit.class);
  }

  @Test
  void theOldWayToNameAnExportEndsTheConnectionWhereTlsIsRequired() {
    ServerNegotiation negotiation = greeted(TlsMode.REQUIRED);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_EXPORT_NAME, "archive".getBytes(StandardCharsets.UTF_8))
            .toBuffer();
    assertThat(negotiation.advance(in)).isInstanceOf(End.class);
    assertThat(negotiation.takeOutput()).isEmpty();
  }

  @Test
  void whatWasAgreedInTheClearIsForgottenByTls() {
    ServerNegotiation negotiation = greeted(TlsMode.OFFERED);
    ByteBuffer in =
        OptionBytes.client()
            .option(NbdProtocol.OPT_STRUCTURED_REPLY)
            .option(NbdProtocol.OPT_STARTTLS)
            .toBuffer();
    assertThat(negotiation.advance(in)).isInstanceOf(StartTls.class);
    negotiation.secured();
    assertThat(run(negotiation, new OptionBytes().go(NbdProtocol.OPT_GO, "archive").toBuffer()))
        .isEqualTo(new Transmit(new Agreement(ARCHIVE, false, false, false, false)));
  }

  @Test
  void anAbsurdLengthEndsTheConnectionBeforeAnythingIsKept() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        ByteBuffer.allocate(20)
            .putInt(3)
            .putLong(NbdProtocol.IHAVEOPT)
            .putInt(NbdProtocol.OPT_LIST)
            .putInt(0x7fff_ffff)
            .flip();
    assertThat(negotiation.advance(in)).isInstanceOf(End.class);
  }

  @Test
  void aNameOfFourThousandBytesIsHeardAndALongerOneRefused() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    ByteBuffer in =
        OptionBytes.client()
            .go(NbdProtocol.OPT_GO, "x".repeat(4096))
            .go(NbdProtocol.OPT_GO, "x".repeat(4097))
            .toBuffer();
    run(negotiation, in);
    assertThat(OptionReply.all(negotiation.takeOutput()))
        .extracting(OptionReply::type)
        .containsExactly(NbdProtocol.REP_ERR_UNKNOWN, NbdProtocol.REP_ERR_INVALID);
  }

  @Test
  void aFloodOfOptionsEnds() {
    ServerNegotiation negotiation = greeted(TlsMode.OFF);
    assertThat(negotiation.advance(OptionBytes.client().toBuffer())).isInstanceOf(MoreBytes.class);
    byte[] one = new OptionBytes().option(99).toBytes();
    NegotiationStep step = new MoreBytes();
    int sent = 0;
    while (step instanceof MoreBytes) {
      assertThat(sent).isLessThanOrEqualTo(ServerNegotiation.OPTIONS_MAX);
      step = negotiation.advance(ByteBuffer.wrap(one));
      negotiation.takeOutput();
      sent++;
    }
    assertThat(step).isInstanceOf(End.class);
  }
}

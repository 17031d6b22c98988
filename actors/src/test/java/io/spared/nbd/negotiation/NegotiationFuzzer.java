package io.spared.nbd.negotiation;

import io.spared.nbd.negotiation.NegotiationStep.Ask;
import io.spared.nbd.negotiation.NegotiationStep.End;
import io.spared.nbd.negotiation.NegotiationStep.MoreBytes;
import io.spared.nbd.negotiation.NegotiationStep.StartTls;
import io.spared.nbd.negotiation.NegotiationStep.Transmit;
import io.spared.nbd.wire.NbdProtocol;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/**
 * Talks to the server's negotiation as clients that are right, nearly right, or not clients at all.
 * Checked of every run: no exception, output that parses as replies, bounded buffers, and no export
 * told before TLS where that is required. A failure names the seed of its run.
 */
public final class NegotiationFuzzer {
  private static final ExportDescription EXPORT =
      new ExportDescription("disk", "text", 1 << 20, 512, 4096, false, false, true, true);
  private final long firstSeed;
  private long runs;
  private long transmissions;
  private long ended;

  public NegotiationFuzzer(long firstSeed) {
    this.firstSeed = firstSeed;
  }

  public long transmissions() {
    return transmissions;
  }

  public long ended() {
    return ended;
  }

  public long runs() {
    return runs;
  }

  /** One client from its first byte to its last. */
  public void runOne() {
    long seed = firstSeed + runs++;
    try {
      run(new Random(seed));
    } catch (RuntimeException | AssertionError e) {
      throw new AssertionError("negotiation fuzzer, seed " + seed + ": " + e, e);
    }
  }

  private void run(Random random) {
    TlsMode tls = List.of(TlsMode.values()).get(random.nextInt(3));
    ServerNegotiation negotiation = new ServerNegotiation(tls);
    boolean secure = false;
    negotiation.takeOutput();
    byte[] input = clientBytes(random);
    mutate(random, input);
    ByteBuffer in = ByteBuffer.wrap(input);
    in.limit(0);
    while (true) {
      if (in.limit() == in.capacity()) {
        return;
      }
      in.limit(Math.min(in.capacity(), in.limit() + 1 + random.nextInt(200)));
      NegotiationStep step = negotiation.advance(in);
      while (step instanceof Ask ask) {
        check(tls != TlsMode.REQUIRED || secure, "a question before TLS");
        step = negotiation.answer(answer(random, ask.question()));
        if (step == null) {
          step = negotiation.advance(in);
        }
      }
      byte[] output = negotiation.takeOutput();
      check(output.length < 3 << 20, "output of " + output.length + " bytes");
      switch (step) {
        case MoreBytes _ ->
            check(in.remaining() < ServerNegotiation.INPUT_BYTES_MAX, "unbounded input wanted");
        case StartTls _ -> {
          check(tls != TlsMode.OFF && !secure, "TLS twice, or where there is none");
          negotiation.secured();
          secure = true;
        }
        case Transmit transmit -> {
          check(transmit.agreement().export().equals(EXPORT), "another export");
          check(tls != TlsMode.REQUIRED || secure, "transmission without TLS");
          transmissions++;
          return;
        }
        case End end -> {
          check(!end.reason().isEmpty(), "no reason given");
          ended++;
          return;
        }
        case Ask _ -> throw new IllegalStateException();
      }
    }
  }

  private static Answer answer(Random random, Question question) {
    if (random.nextInt(10) == 0) {
      return new Answer.Refused(List.of(Answer.Refusal.values()).get(random.nextInt(4)), "no");
    }
    return switch (question) {
      case Question.Names _ -> new Answer.Names(List.of(new Answer.Name("disk", "text")));
      case Question.Find find ->
          find.name().equals("disk")
              ? new Answer.Found(EXPORT)
              : new Answer.Refused(Answer.Refusal.UNKNOWN, "no such export");
      case Question.Open _ -> new Answer.Opened();
    };
  }

  private static byte[] clientBytes(Random random) {
    OptionBytes bytes =
        random.nextInt(20) == 0
            ? new OptionBytes().integer(random.nextInt())
            : OptionBytes.client();
    int options = random.nextInt(8);
    for (int i = 0; i < options; i++) {
      switch (random.nextInt(9)) {
        case 0 -> bytes.option(NbdProtocol.OPT_LIST);
        case 1 -> bytes.option(NbdProtocol.OPT_STRUCTURED_REPLY);
        case 2 -> bytes.option(NbdProtocol.OPT_EXTENDED_HEADERS);
        case 3 -> bytes.option(NbdProtocol.OPT_STARTTLS);
        case 4 -> bytes.go(NbdProtocol.OPT_INFO, name(random), random.nextInt(6));
        case 5 ->
            bytes.contexts(
                NbdProtocol.OPT_SET_META_CONTEXT, name(random), "base:allocation", name(random));
        case 6 -> bytes.contexts(NbdProtocol.OPT_LIST_META_CONTEXT, name(random));
        case 7 -> {
          byte[] noise = new byte[random.nextInt(300)];
          random.nextBytes(noise);
          bytes.option(random.nextInt(14), noise);
        }
        default -> bytes.option(random.nextInt());
      }
    }
    switch (random.nextInt(4)) {
      case 0 -> bytes.option(NbdProtocol.OPT_ABORT);
      case 1 ->
          bytes.option(NbdProtocol.OPT_EXPORT_NAME, name(random).getBytes(StandardCharsets.UTF_8));
      default -> bytes.go(NbdProtocol.OPT_GO, name(random), NbdProtocol.INFO_BLOCK_SIZE);
    }
    return bytes.toBytes();
  }

  private static String name(Random random) {
    return switch (random.nextInt(6)) {
      case 0 -> "";
      case 1 -> "x".repeat(random.nextInt(5000));
      case 2 -> "spared:";
      default -> "disk";
    };
  }

  private static void mutate(Random random, byte[] input) {
    int mutations = random.nextBoolean() ? 0 : random.nextInt(6);
    for (int i = 0; i < mutations; i++) {
      int at = random.nextInt(input.length);
      switch (random.nextInt(3)) {
        case 0 -> input[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> input[at] = (byte) random.nextInt();
        default -> input[at] = (byte) 0xff;
      }
    }
  }

  private static void check(boolean held, String what) {
    if (!held) {
      throw new AssertionError(what);
    }
  }
}

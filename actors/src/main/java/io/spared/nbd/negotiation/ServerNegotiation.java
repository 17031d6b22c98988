package io.spared.nbd.negotiation;

import io.spared.nbd.negotiation.NegotiationStep.Ask;
import io.spared.nbd.negotiation.NegotiationStep.End;
import io.spared.nbd.negotiation.NegotiationStep.MoreBytes;
import io.spared.nbd.negotiation.NegotiationStep.StartTls;
import io.spared.nbd.negotiation.NegotiationStep.Transmit;
import io.spared.nbd.wire.NbdProtocol;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of the fixed newstyle negotiation, without sockets, time or actors: bytes and
 * answers go in, bytes and steps come out.
 *
 * <p>Guarantees: it never asks for more than {@link #INPUT_BYTES_MAX} buffered bytes; it ends after
 * {@link #OPTIONS_MAX} options; a length is checked before anything is kept for it; what cannot be
 * understood is refused where the protocol can go on after it and ends the connection where it
 * cannot. Where TLS is required, no name of an export is said or heard before it.
 */
public final class ServerNegotiation {
  /**
   * Long enough for the longest name with a list of contexts; longer options end the connection.
   */
  public static final int OPTION_BYTES_MAX = 32 << 10;

  /** An option's header and data must fit the receive buffer. */
  public static final int INPUT_BYTES_MAX = OPTION_BYTES_MAX + 16;

  /** Tools that look at every export ask for a few options each. */
  public static final int OPTIONS_MAX = 4096;

  /** Listings end here, so that a client that does not read cannot make us hold more. */
  private static final int OUTPUT_BYTES_MAX = 1 << 20;

  private static final int QUERIES_MAX = 64;

  private enum State {
    CLIENT_FLAGS,
    OPTION,
    ASKED,
    TLS,
    OVER
  }

  private final TlsMode tls;
  private final OptionWriter out = new OptionWriter();
  private State state = State.CLIENT_FLAGS;
  private boolean secure;
  private boolean noZeroes;
  private int options;
  private boolean structuredReplies;
  private boolean extendedHeaders;
  private Set<String> contexts = Set.of();
  private @Nullable String contextsExport;

  /** The option that waits for an answer, its name and what it wanted to know. */
  private int pendingOption;

  private String pendingName = "";
  private Set<Integer> pendingInformation = Set.of();
  private List<String> pendingQueries = List.of();
  private @Nullable ExportDescription pendingExport;

  public ServerNegotiation(TlsMode tls) {
    this.tls = tls;
    ByteBuffer greeting = ByteBuffer.allocate(18);
    greeting.putLong(NbdProtocol.NBDMAGIC).putLong(NbdProtocol.IHAVEOPT);
    greeting.putShort((short) (NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES));
    out.raw(greeting.array());
  }

  /** What has to be sent before anything else is done; empty when nothing. */
  public byte[] takeOutput() {
    return out.take();
  }

  /** TLS is up: everything agreed before is forgotten, as the protocol demands. */
  public void secured() {
    if (state != State.TLS) {
      throw new IllegalStateException("TLS was not asked for");
    }
    secure = true;
    structuredReplies = false;
    extendedHeaders = false;
    contexts = Set.of();
    contextsExport = null;
    state = State.OPTION;
  }

  /** Goes as far as the bytes allow, and moves the buffer's position behind what was used. */
  public NegotiationStep advance(ByteBuffer in) {
    in.order(ByteOrder.BIG_ENDIAN);
    while (true) {
      NegotiationStep step =
          switch (state) {
            case CLIENT_FLAGS -> clientFlags(in);
            case OPTION -> option(in);
            case ASKED, TLS, OVER ->
                throw new IllegalStateException("nothing can be done in state " + state);
          };
      if (step != null) {
        if (step instanceof End || step instanceof Transmit) {
          state = State.OVER;
        }
        return step;
      }
    }
  }

  /** The answer to what was asked; null when the negotiation goes on with the next option. */
  public @Nullable NegotiationStep answer(Answer answer) {
    if (state != State.ASKED) {
      throw new IllegalStateException("nothing was asked");
    }
    state = State.OPTION;
    NegotiationStep step =
        switch (answer) {
          case Answer.Names names -> listNames(names);
          case Answer.Found found -> found(found.export());
          case Answer.Opened _ -> opened();
          case Answer.Refused refused -> refused(refused);
        };
    if (step instanceof End || step instanceof Transmit) {
      state = State.OVER;
    }
    return step;
  }

  private @Nullable NegotiationStep clientFlags(ByteBuffer in) {
    if (in.remaining() < 4) {
      return new MoreBytes();
    }
    int flags = in.getInt();
    int known = NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES;
    if ((flags & ~known) != 0) {
      return malformed("handshake flags 0x" + Integer.toHexString(flags) + " are not known");
    }
    noZeroes = (flags & NbdProtocol.FLAG_NO_ZEROES) != 0;
    state = State.OPTION;
    return null;
  }

  private @Nullable NegotiationStep option(ByteBuffer in) {
    if (in.remaining() < 16) {
      return new MoreBytes();
    }
    int start = in.position();
    if (in.getLong(start) != NbdProtocol.IHAVEOPT) {
      return malformed("an option does not begin with its magic number");
    }
    int option = in.getInt(start + 8);
    long lengthBytes = Integer.toUnsignedLong(in.getInt(start + 12));
    if (lengthBytes > OPTION_BYTES_MAX) {
      return malformed(
          "option " + option + " of " + lengthBytes + " bytes, at most " + OPTION_BYTES_MAX);
    }
    if (in.remaining() < 16 + lengthBytes) {
      return new MoreBytes();
    }
    if (++options > OPTIONS_MAX) {
      return malformed("more than " + OPTIONS_MAX + " options");
    }
    if (out.sizeBytes() > OUTPUT_BYTES_MAX) {
      return malformed("too many options at once");
    }
    in.position(start + 16);
    ByteBuffer data = in.slice(start + 16, (int) lengthBytes).order(ByteOrder.BIG_ENDIAN);
    in.position(start + 16 + (int) lengthBytes);
    return option(option, data);
  }

  private @Nullable NegotiationStep option(int option, ByteBuffer data) {
    if (tls == TlsMode.REQUIRED && !secure) {
      switch (option) {
        case NbdProtocol.OPT_STARTTLS, NbdProtocol.OPT_ABORT -> {}
        case NbdProtocol.OPT_EXPORT_NAME -> {
          return new End(false, "an export was asked for without TLS, which is required here");
        }
        default -> {
          out.error(option, NbdProtocol.REP_ERR_TLS_REQD, "TLS is required here");
          return null;
        }
      }
    }
    return switch (option) {
      case NbdProtocol.OPT_EXPORT_NAME -> exportName(data);
      case NbdProtocol.OPT_ABORT -> {
        out.acknowledge(option);
        yield new End(true, "the client ended the negotiation");
      }
      case NbdProtocol.OPT_LIST -> {
        if (data.hasRemaining()) {
          yield invalid(option, "a list takes no data");
        }
        yield ask(option, new Question.Names());
      }
      case NbdProtocol.OPT_STARTTLS -> startTls(option, data);
      case NbdProtocol.OPT_INFO, NbdProtocol.OPT_GO -> information(option, data);
      case NbdProtocol.OPT_STRUCTURED_REPLY -> {
        if (data.hasRemaining()) {
          yield invalid(option, "it takes no data");
        }
        structuredReplies = true;
        out.acknowledge(option);
        yield null;
      }
      case NbdProtocol.OPT_EXTENDED_HEADERS -> {
        if (data.hasRemaining()) {
          yield invalid(option, "it takes no data");
        }
        extendedHeaders = true;
        structuredReplies = true;
        out.acknowledge(option);
        yield null;
      }
      case NbdProtocol.OPT_LIST_META_CONTEXT, NbdProtocol.OPT_SET_META_CONTEXT ->
          metaContexts(option, data);
      default -> {
        out.error(option, NbdProtocol.REP_ERR_UNSUP, "this option is not supported");
        yield null;
      }
    };
  }

  private @Nullable NegotiationStep startTls(int option, ByteBuffer data) {
    if (data.hasRemaining()) {
      return invalid(option, "it takes no data");
    }
    if (tls == TlsMode.OFF) {
      out.error(option, NbdProtocol.REP_ERR_POLICY, "TLS is not set up on this listener");
      return null;
    }
    if (secure) {
      return invalid(option, "TLS is up already");
    }
    out.acknowledge(option);
    state = State.TLS;
    return new StartTls();
  }

  private @Nullable NegotiationStep exportName(ByteBuffer data) {
    String name = text(data, data.remaining());
    if (name == null) {
      return malformed("an export's name is longer than 4096 bytes or not UTF-8");
    }
    pendingName = name;
    return ask(NbdProtocol.OPT_EXPORT_NAME, new Question.Find(name));
  }

  private @Nullable NegotiationStep information(int option, ByteBuffer data) {
    if (data.remaining() < 6) {
      return invalid(option, "it is too short");
    }
    String name = countedText(data);
    if (name == null || data.remaining() < 2) {
      return invalid(option, "its name does not fit, is too long or not UTF-8");
    }
    int count = Short.toUnsignedInt(data.getShort());
    if (data.remaining() != count * 2) {
      return invalid(option, "its length and its number of requests differ");
    }
    Set<Integer> wanted = new LinkedHashSet<>();
    for (int i = 0; i < count; i++) {
      wanted.add(Short.toUnsignedInt(data.getShort()));
    }
    pendingName = name;
    pendingInformation = wanted;
    return ask(option, new Question.Find(name));
  }

  private @Nullable NegotiationStep metaContexts(int option, ByteBuffer data) {
    if (option == NbdProtocol.OPT_SET_META_CONTEXT) {
      contexts = Set.of();
      contextsExport = null;
      if (!structuredReplies) {
        return invalid(option, "structured replies come first");
      }
    }
    String name = data.remaining() < 8 ? null : countedText(data);
    if (name == null || data.remaining() < 4) {
      return invalid(option, "its name does not fit, is too long or not UTF-8");
    }
    long count = Integer.toUnsignedLong(data.getInt());
    if (count > QUERIES_MAX) {
      out.error(option, NbdProtocol.REP_ERR_TOO_BIG, "at most " + QUERIES_MAX + " queries");
      return null;
    }
    List<String> queries = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String query = data.remaining() < 4 ? null : countedText(data);
      if (query == null) {
        return invalid(option, "a query does not fit, is too long or not UTF-8");
      }
      queries.add(query);
    }
    if (data.hasRemaining()) {
      return invalid(option, "there is data behind the last query");
    }
    pendingName = name;
    pendingQueries = queries;
    return ask(option, new Question.Find(name));
  }

  private @Nullable NegotiationStep found(ExportDescription export) {
    switch (pendingOption) {
      case NbdProtocol.OPT_EXPORT_NAME, NbdProtocol.OPT_GO -> {
        pendingExport = export;
        return ask(pendingOption, new Question.Open(export));
      }
      case NbdProtocol.OPT_INFO -> {
        describe(export);
        out.acknowledge(pendingOption);
        return null;
      }
      case NbdProtocol.OPT_LIST_META_CONTEXT, NbdProtocol.OPT_SET_META_CONTEXT -> {
        answerContexts();
        return null;
      }
      default -> throw new IllegalStateException("option " + pendingOption + " finds no export");
    }
  }

  private @Nullable NegotiationStep opened() {
    ExportDescription export = pendingExport;
    if (export == null) {
      throw new IllegalStateException("no export was to be opened");
    }
    if (pendingOption == NbdProtocol.OPT_EXPORT_NAME) {
      ByteBuffer reply = ByteBuffer.allocate(10 + (noZeroes ? 0 : 124));
      reply.putLong(export.sizeBytes());
      reply.putShort((short) export.transmissionFlags(structuredReplies));
      out.raw(reply.array());
    } else {
      describe(export);
      out.acknowledge(pendingOption);
    }
    boolean sameExport = pendingName.equals(contextsExport);
    return new Transmit(
        new Agreement(
            export,
            structuredReplies,
            extendedHeaders,
            sameExport && contexts.contains(NbdProtocol.CONTEXT_ALLOCATION),
            sameExport && contexts.contains(MetaContexts.REMAP)));
  }

  private @Nullable NegotiationStep refused(Answer.Refused refused) {
    if (pendingOption == NbdProtocol.OPT_EXPORT_NAME) {
      return new End(false, "export \"" + pendingName + "\" was refused: " + refused.sentence());
    }
    int type =
        switch (refused.refusal()) {
          case UNKNOWN -> NbdProtocol.REP_ERR_UNKNOWN;
          case NOT_ALLOWED -> NbdProtocol.REP_ERR_POLICY;
          case SHUTTING_DOWN -> NbdProtocol.REP_ERR_SHUTDOWN;
          case UNAVAILABLE -> NbdProtocol.REP_ERR_PLATFORM;
        };
    out.error(pendingOption, type, refused.sentence());
    return null;
  }

  private @Nullable NegotiationStep listNames(Answer.Names names) {
    for (Answer.Name name : names.names()) {
      byte[] text = name.name().getBytes(StandardCharsets.UTF_8);
      byte[] description = name.description().getBytes(StandardCharsets.UTF_8);
      if (out.sizeBytes() + text.length + description.length > OUTPUT_BYTES_MAX) {
        out.error(
            pendingOption, NbdProtocol.REP_ERR_TOO_BIG, "there are more exports than fit a list");
        return null;
      }
      ByteBuffer data = ByteBuffer.allocate(4 + text.length + description.length);
      data.putInt(text.length).put(text).put(description);
      out.reply(pendingOption, NbdProtocol.REP_SERVER, data.array());
    }
    out.acknowledge(pendingOption);
    return null;
  }

  private void answerContexts() {
    boolean set = pendingOption == NbdProtocol.OPT_SET_META_CONTEXT;
    Set<String> chosen = new LinkedHashSet<>();
    if (!set && pendingQueries.isEmpty()) {
      chosen.addAll(MetaContexts.all());
    }
    for (String query : pendingQueries) {
      if (set) {
        MetaContexts.all().stream().filter(query::equals).forEach(chosen::add);
      } else {
        chosen.addAll(MetaContexts.listed(query));
      }
    }
    if (set) {
      contexts = chosen;
      contextsExport = pendingName;
    }
    for (String context : chosen) {
      byte[] text = context.getBytes(StandardCharsets.UTF_8);
      ByteBuffer data = ByteBuffer.allocate(4 + text.length);
      data.putInt(set ? MetaContexts.id(context) : 0).put(text);
      out.reply(pendingOption, NbdProtocol.REP_META_CONTEXT, data.array());
    }
    out.acknowledge(pendingOption);
  }

  private void describe(ExportDescription export) {
    ByteBuffer size = ByteBuffer.allocate(12);
    size.putShort((short) NbdProtocol.INFO_EXPORT).putLong(export.sizeBytes());
    size.putShort((short) export.transmissionFlags(structuredReplies));
    out.reply(pendingOption, NbdProtocol.REP_INFO, size.array());
    if (pendingInformation.contains(NbdProtocol.INFO_NAME)) {
      informText(NbdProtocol.INFO_NAME, export.name());
    }
    if (pendingInformation.contains(NbdProtocol.INFO_DESCRIPTION)
        && !export.description().isEmpty()) {
      informText(NbdProtocol.INFO_DESCRIPTION, export.description());
    }
    if (pendingInformation.contains(NbdProtocol.INFO_BLOCK_SIZE)) {
      ByteBuffer blocks = ByteBuffer.allocate(14);
      blocks.putShort((short) NbdProtocol.INFO_BLOCK_SIZE);
      blocks.putInt(export.minimumBlockBytes()).putInt(export.preferredBlockBytes());
      blocks.putInt(NbdProtocol.PAYLOAD_BYTES_MAX);
      out.reply(pendingOption, NbdProtocol.REP_INFO, blocks.array());
    }
  }

  private void informText(int kind, String value) {
    byte[] text = value.getBytes(StandardCharsets.UTF_8);
    ByteBuffer data = ByteBuffer.allocate(2 + text.length);
    data.putShort((short) kind).put(text);
    out.reply(pendingOption, NbdProtocol.REP_INFO, data.array());
  }

  private NegotiationStep ask(int option, Question question) {
    pendingOption = option;
    state = State.ASKED;
    return new Ask(question);
  }

  private @Nullable NegotiationStep invalid(int option, String reason) {
    out.error(option, NbdProtocol.REP_ERR_INVALID, reason);
    return null;
  }

  private static End malformed(String reason) {
    return new End(false, reason);
  }

  private static @Nullable String countedText(ByteBuffer data) {
    long lengthBytes = Integer.toUnsignedLong(data.getInt());
    return lengthBytes > data.remaining() ? null : text(data, (int) lengthBytes);
  }

  private static @Nullable String text(ByteBuffer data, int lengthBytes) {
    if (lengthBytes > NbdProtocol.STRING_BYTES_MAX) {
      return null;
    }
    ByteBuffer slice = data.slice(data.position(), lengthBytes);
    data.position(data.position() + lengthBytes);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(slice).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}

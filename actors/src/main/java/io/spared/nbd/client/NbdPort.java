package io.spared.nbd.client;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Sockets;
import io.spared.ffi.engine.SoftwarePort;
import io.spared.nbd.transmission.PlainTransport;
import io.spared.nbd.transmission.Transport;
import io.spared.nbd.wire.NbdErrors;
import io.spared.nbd.wire.NbdProtocol;
import io.spared.nbd.wire.RequestHeader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One engine's connection to a remote export. It connects when it is first used, and again after it
 * broke, with growing pauses; requests wait for it up to their deadline.
 *
 * <p>What a broken connection leaves behind, and why:
 *
 * <ul>
 *   <li>A request that was not sent is sent on the next connection. So is a read that was not
 *       answered: reading twice is harmless. But a server that meets an error after it has begun to
 *       send what was read can say so only by ending the connection; so a read whose data broke off
 *       twice has failed.
 *   <li>A write, discard or zeroing that was sent and not answered may still be carried out by the
 *       server, even after the next connection stands. Sending it again would end it for its owner
 *       while the first one is still under way, to strike a later write. So it ends as TIMED_OUT
 *       and is held: its range stays in doubt until the port is given up. Nothing that a server
 *       could say would end the doubt earlier.
 *   <li>A flush after a break with acknowledged and unflushed writes fails: {@link RemoteCache}.
 * </ul>
 */
final class NbdPort extends SoftwarePort implements Transport.User {
  private static final int BUFFER_BYTES = 64 << 10;

  /** Payloads up to this are copied behind their headers, several requests to one send. */
  private static final int COPY_BYTES_MAX = 16 << 10;

  /** Few servers carry out more at once, and replies to all of these are awaited. */
  private static final int SENT_MAX = 128;

  private static final int BROKEN_OFF_MAX = 2;

  private static final long PAUSE_NANOS_MIN = 100_000_000L;
  private static final long PAUSE_NANOS_MAX = 5_000_000_000L;
  private static final long NEGOTIATION_NANOS = 10_000_000_000L;

  private enum State {
    IDLE,
    CONNECTING,
    NEGOTIATING,
    READY,
    PAUSING,
    /** The server has another export now, or the port was given up. */
    OVER
  }

  /** A request on its way. */
  private static final class Entry {
    final IoRequest request;
    long cookie;
    boolean sent;

    /** Its write is done and a flush makes it durable. */
    boolean flushing;

    long flushCount;

    /** How often its data broke off in the middle. */
    int brokenOff;

    Entry(IoRequest request) {
      this.request = request;
    }
  }

  private final NbdAddress remote;
  private final RemoteExport export;
  private final RemoteCache cache;
  private final BooleanSupplier closed;

  /** Flushes of one connection do not cover others: then every write must be durable by itself. */
  private final boolean alwaysDurable;

  private final ArrayDeque<Entry> waiting = new ArrayDeque<>();
  private final Map<Long, Entry> sent = new HashMap<>();
  private final ArrayDeque<Entry> doubted = new ArrayDeque<>();
  private final Completions connects;
  private final IoRequest connect;
  private State state = State.IDLE;
  private long pauseNanos = PAUSE_NANOS_MIN;
  private long nextCookie = 1;
  private long connection;

  private @Nullable Transport transport;
  private @Nullable ClientNegotiation negotiation;
  private @Nullable IoBuffer input;
  private int inputStart;
  private int inputEnd;
  private @Nullable IoBuffer output;
  private @Nullable Entry directEntry;
  private @Nullable Entry readingEntry;
  private int readBytes;
  private boolean readingDirectly;

  NbdPort(
      Engine engine,
      NbdAddress remote,
      RemoteExport export,
      RemoteCache cache,
      BooleanSupplier closed) {
    super(engine);
    this.remote = remote;
    this.export = export;
    this.cache = cache;
    this.closed = closed;
    this.alwaysDurable =
        export.has(NbdProtocol.FLAG_SEND_FLUSH) && !export.has(NbdProtocol.FLAG_CAN_MULTI_CONN);
    this.connects = new Completions(this::connected);
    this.connect = new IoRequest(connects);
  }

  // What owners ask.

  @Override
  protected void begin(IoRequest request) {
    Entry entry = new Entry(request);
    request.engineState = entry;
    Errno refused = refused(request);
    boolean nothingToDo =
        request.operation() == IoRequest.Operation.FLUSH
            && !export.has(NbdProtocol.FLAG_SEND_FLUSH);
    if (refused != null || nothingToDo) {
      soon(() -> endUnlessGivenUp(entry, refused));
      return;
    }
    waiting.add(entry);
    if (state == State.IDLE) {
      connectNow();
    } else {
      send();
    }
  }

  private @Nullable Errno refused(IoRequest request) {
    if (state == State.OVER || closed.getAsBoolean()) {
      return Errno.ENODEV;
    }
    return switch (request.operation()) {
      case READ, WRITE -> null;
      case FLUSH -> cache.mayHaveLost() ? Errno.EIO : null;
      case DISCARD -> export.has(NbdProtocol.FLAG_SEND_TRIM) ? null : Errno.EOPNOTSUPP;
      case WRITE_ZEROES -> export.has(NbdProtocol.FLAG_SEND_WRITE_ZEROES) ? null : Errno.EOPNOTSUPP;
      default -> Errno.EOPNOTSUPP;
    };
  }

  private void endUnlessGivenUp(Entry entry, @Nullable Errno errno) {
    if (entry.request.engineState == entry) {
      entry.request.engineState = null;
      end(entry.request, errno);
    }
  }

  @Override
  protected boolean giveUp(IoRequest request) {
    if (!(request.engineState instanceof Entry entry) || entry.request != request) {
      throw new IllegalStateException("not a request of this port: " + request);
    }
    if (entry.sent || entry.flushing) {
      return false;
    }
    waiting.remove(entry);
    request.engineState = null;
    return true;
  }

  @Override
  protected void leaving() {
    letDoubtsGo();
  }

  @Override
  protected void idle() {
    state = State.OVER;
    breakOff();
    releaseBuffers();
  }

  /** Those in doubt wait for nothing that could come; they are let go with the port. */
  private void letDoubtsGo() {
    for (Entry entry = doubted.poll(); entry != null; entry = doubted.poll()) {
      endUnlessGivenUp(entry, Errno.EIO);
    }
  }

  // The connection.

  private void connectNow() {
    state = State.CONNECTING;
    long deadline = engine().nanoTime() + NEGOTIATION_NANOS;
    engine()
        .sockets()
        .connect(remote.server(), connect.plain(IoRequest.Operation.CONNECT, 0, 0, deadline));
  }

  private void connected() {
    for (IoRequest ended = connects.next(); ended != null; ended = connects.next()) {
      boolean wanted =
          state == State.CONNECTING && connects.lastOutcome() == IoRequest.Outcome.DONE;
      if (ended.result() instanceof Sockets.Stream stream) {
        if (wanted) {
          negotiate(stream);
        } else {
          stream.close();
          pauseUnlessHeld(ended);
        }
      } else {
        pauseUnlessHeld(ended);
      }
    }
  }

  /** A held request ends once more, and only then may it be used again. */
  private void pauseUnlessHeld(IoRequest ended) {
    if (state == State.CONNECTING && !ended.held()) {
      pause();
    }
  }

  private void negotiate(Sockets.Stream stream) {
    if (!takeBuffers()) {
      stream.close();
      pause();
      return;
    }
    state = State.NEGOTIATING;
    inputStart = 0;
    inputEnd = 0;
    negotiation = new ClientNegotiation(remote.export());
    TransportSignal signal = new TransportSignal();
    PlainTransport made = new PlainTransport(stream, signal, this);
    signal.transport = made;
    transport = made;
    long number = ++connection;
    engine()
        .ledger()
        .later(
            engine().nanoTime() + NEGOTIATION_NANOS,
            () -> {
              if (connection == number && state == State.NEGOTIATING) {
                broken(false, "the negotiation took too long");
              }
            });
    receive();
  }

  /** The port is no actor: what ended is taken when the engine signals. */
  private static final class TransportSignal implements Runnable {
    @Nullable Transport transport;

    @Override
    public void run() {
      Transport t = transport;
      if (t != null) {
        t.takeEnded();
      }
    }
  }

  private boolean takeBuffers() {
    if (input == null) {
      input = bigEndian(engine().buffers().take(BUFFER_BYTES));
    }
    if (output == null) {
      output = bigEndian(engine().buffers().take(BUFFER_BYTES));
    }
    return input != null && output != null;
  }

  private static @Nullable IoBuffer bigEndian(@Nullable IoBuffer buffer) {
    if (buffer != null) {
      buffer.bytes().clear().order(ByteOrder.BIG_ENDIAN);
    }
    return buffer;
  }

  /**
   * What a broken connection was receiving into or sending from may be in use until the engine says
   * so; each connection therefore has buffers of its own.
   */
  private void releaseBuffers() {
    IoBuffer in = input;
    IoBuffer out = output;
    input = null;
    output = null;
    if (in != null) {
      in.release();
    }
    if (out != null) {
      out.release();
    }
  }

  private void breakOff() {
    Transport t = transport;
    transport = null;
    negotiation = null;
    directEntry = null;
    readingEntry = null;
    readingDirectly = false;
    if (t != null) {
      t.close();
    }
    releaseBuffers();
  }

  private void pause() {
    if (state == State.OVER) {
      return;
    }
    state = State.PAUSING;
    long pause = pauseNanos;
    pauseNanos = Math.min(PAUSE_NANOS_MAX, pauseNanos * 2);
    engine()
        .ledger()
        .later(
            engine().nanoTime() + pause,
            () -> {
              if (state == State.PAUSING) {
                state = State.IDLE;
                if (!waiting.isEmpty()) {
                  connectNow();
                }
              }
            });
  }

  @Override
  public void broken(boolean byPeer, String reason) {
    if (state == State.OVER) {
      return;
    }
    boolean served = state == State.READY;
    Entry halfRead = readingEntry;
    if (halfRead != null) {
      halfRead.brokenOff++;
    }
    breakOff();
    if (served) {
      cache.connectionBroke();
      sortOut();
    }
    pause();
  }

  /** Decides what becomes of each request that was sent and not answered. */
  private void sortOut() {
    Iterator<Entry> unanswered = sent.values().iterator();
    ArrayDeque<Entry> again = new ArrayDeque<>();
    ArrayDeque<Entry> doubts = new ArrayDeque<>();
    while (unanswered.hasNext()) {
      Entry entry = unanswered.next();
      unanswered.remove();
      IoRequest request = entry.request;
      if (entry.flushing) {
        endUnlessGivenUp(entry, Errno.EIO);
      } else if (request.operation() == IoRequest.Operation.READ
          || request.operation() == IoRequest.Operation.FLUSH) {
        boolean repeat =
            request.operation() == IoRequest.Operation.READ
                ? entry.brokenOff < BROKEN_OFF_MAX
                : !cache.mayHaveLost();
        if (request.held() || !repeat) {
          endUnlessGivenUp(entry, Errno.EIO);
        } else {
          entry.sent = false;
          again.add(entry);
        }
      } else {
        doubts.add(entry);
      }
    }
    waiting.removeIf(entry -> {
      boolean flush = entry.request.operation() == IoRequest.Operation.FLUSH;
      // A write that waits to be made durable was only in the server that is gone.
      boolean lost = entry.flushing || (flush && cache.mayHaveLost());
      if (lost) {
        endUnlessGivenUp(entry, Errno.EIO);
      }
      return lost;
    });
    again.forEach(waiting::addFirst);
    for (Entry entry : doubts) {
      doubted.add(entry);
      if (!entry.request.held()) {
        overdue(entry.request);
      }
    }
    if (isDetached()) {
      letDoubtsGo();
    }
  }

  // To the server.

  private void send() {
    Transport t = transport;
    IoBuffer out = output;
    if (state != State.READY || t == null || out == null || t.isSending()) {
      return;
    }
    Entry direct = directEntry;
    if (direct != null) {
      directEntry = null;
      IoRequest request = direct.request;
      t.send(bufferOf(request), request.bufferOffsetBytes(), request.lengthBytes());
      return;
    }
    ByteBuffer bytes = out.bytes().clear();
    while (directEntry == null
        && !waiting.isEmpty()
        && sent.size() < SENT_MAX
        && bytes.remaining() >= NbdProtocol.REQUEST_BYTES + COPY_BYTES_MAX) {
      write(waiting.remove(), bytes);
    }
    int lengthBytes = bytes.position();
    bytes.clear();
    if (lengthBytes > 0) {
      t.send(out, 0, lengthBytes);
    }
  }

  private void write(Entry entry, ByteBuffer bytes) {
    IoRequest request = entry.request;
    entry.cookie = nextCookie++;
    entry.sent = true;
    sent.put(entry.cookie, entry);
    boolean flush = entry.flushing || request.operation() == IoRequest.Operation.FLUSH;
    int type = flush ? NbdProtocol.CMD_FLUSH : typeOf(request);
    int flags = 0;
    if (!flush && mustBeDurable(request) && export.has(NbdProtocol.FLAG_SEND_FUA)) {
      flags |= NbdProtocol.CMD_FLAG_FUA;
    }
    if (type == NbdProtocol.CMD_WRITE_ZEROES && request.isWithoutHoles()) {
      flags |= NbdProtocol.CMD_FLAG_NO_HOLE;
    }
    if (flush) {
      entry.flushCount = cache.flushBegins();
    }
    RequestHeader.write(
        bytes,
        false,
        flags,
        type,
        entry.cookie,
        flush ? 0 : request.offsetBytes(),
        flush ? 0 : request.lengthBytes());
    if (type == NbdProtocol.CMD_WRITE) {
      if (request.lengthBytes() <= COPY_BYTES_MAX) {
        int at = bytes.position();
        bytes.put(
            at, bufferOf(request).bytes(), request.bufferOffsetBytes(), request.lengthBytes());
        bytes.position(at + request.lengthBytes());
      } else {
        directEntry = entry;
      }
    }
  }

  private boolean mustBeDurable(IoRequest request) {
    return switch (request.operation()) {
      case WRITE, WRITE_ZEROES -> request.isDurable() || alwaysDurable;
      case DISCARD -> alwaysDurable;
      default -> false;
    };
  }

  private static int typeOf(IoRequest request) {
    return switch (request.operation()) {
      case READ -> NbdProtocol.CMD_READ;
      case WRITE -> NbdProtocol.CMD_WRITE;
      case DISCARD -> NbdProtocol.CMD_TRIM;
      case WRITE_ZEROES -> NbdProtocol.CMD_WRITE_ZEROES;
      default -> NbdProtocol.CMD_FLUSH;
    };
  }

  private static IoBuffer bufferOf(IoRequest request) {
    IoBuffer buffer = request.buffer();
    if (buffer == null) {
      throw new IllegalStateException("a transfer without a buffer: " + request);
    }
    return buffer;
  }

  @Override
  public void sent() {
    if (state == State.NEGOTIATING) {
      return;
    }
    send();
  }

  // From the server.

  private void receive() {
    Transport t = transport;
    IoBuffer in = input;
    if (t == null || in == null || t.isReceiving()) {
      return;
    }
    Entry entry = readingEntry;
    if (entry != null && inputStart == inputEnd) {
      IoRequest request = entry.request;
      int missing = request.lengthBytes() - readBytes;
      if (missing >= COPY_BYTES_MAX || readingDirectly) {
        readingDirectly = true;
        t.receive(bufferOf(request), request.bufferOffsetBytes() + readBytes, missing);
        return;
      }
    }
    if (inputStart > 0) {
      in.bytes().put(0, in.bytes(), inputStart, inputEnd - inputStart);
      inputEnd -= inputStart;
      inputStart = 0;
    }
    t.receive(in, inputEnd, in.capacityBytes() - inputEnd);
  }

  @Override
  public void received(int bytes) {
    if (state == State.NEGOTIATING) {
      inputEnd += bytes;
      negotiate();
    } else if (state == State.READY) {
      if (readingDirectly) {
        readBytes += bytes;
        endRead();
      } else {
        inputEnd += bytes;
      }
      takeReplies();
      send();
    }
    receive();
  }

  private void negotiate() {
    ClientNegotiation n = negotiation;
    IoBuffer in = input;
    IoBuffer out = output;
    Transport t = transport;
    if (n == null || in == null || out == null || t == null) {
      return;
    }
    ByteBuffer view = in.bytes().slice(inputStart, inputEnd - inputStart);
    n.advance(view);
    inputStart += view.position();
    byte[] answer = n.takeOutput();
    if (answer.length > 0) {
      out.bytes().put(0, answer);
      t.send(out, 0, answer.length);
    }
    RemoteExport agreed = n.agreed();
    if (n.failure() != null) {
      broken(false, String.valueOf(n.failure()));
    } else if (agreed != null) {
      if (agreed.sizeBytes() != export.sizeBytes() || agreed.flags() != export.flags()) {
        // Another disk under the same name must never be written.
        state = State.OVER;
        breakOff();
        waiting.forEach(entry -> soon(() -> endUnlessGivenUp(entry, Errno.ENODEV)));
        waiting.clear();
        return;
      }
      state = State.READY;
      pauseNanos = PAUSE_NANOS_MIN;
      negotiation = null;
      send();
    }
  }

  private void takeReplies() {
    IoBuffer in = input;
    while (in != null && input == in && state == State.READY) {
      Entry entry = readingEntry;
      if (entry != null) {
        int there = Math.min(inputEnd - inputStart, entry.request.lengthBytes() - readBytes);
        bufferOf(entry.request)
            .bytes()
            .put(entry.request.bufferOffsetBytes() + readBytes, in.bytes(), inputStart, there);
        inputStart += there;
        readBytes += there;
        if (!endRead()) {
          return;
        }
      } else if (inputEnd - inputStart < NbdProtocol.SIMPLE_REPLY_BYTES) {
        return;
      } else if (!takeReply(in.bytes())) {
        broken(false, "the server sent something else than a reply");
        return;
      }
    }
  }

  private boolean endRead() {
    Entry entry = readingEntry;
    if (entry == null || readBytes < entry.request.lengthBytes()) {
      return false;
    }
    readingEntry = null;
    readingDirectly = false;
    sent.remove(entry.cookie);
    endUnlessGivenUp(entry, null);
    return true;
  }

  private boolean takeReply(ByteBuffer bytes) {
    if (bytes.getInt(inputStart) != NbdProtocol.SIMPLE_REPLY_MAGIC) {
      return false;
    }
    int error = bytes.getInt(inputStart + 4);
    Entry entry = sent.get(bytes.getLong(inputStart + 8));
    if (entry == null) {
      return false;
    }
    if (error != 0 || entry.request.operation() != IoRequest.Operation.READ) {
      sent.remove(entry.cookie);
    }
    inputStart += NbdProtocol.SIMPLE_REPLY_BYTES;
    IoRequest request = entry.request;
    if (error != 0) {
      endUnlessGivenUp(entry, NbdErrors.errno(error));
    } else if (entry.flushing || request.operation() == IoRequest.Operation.FLUSH) {
      cache.flushEnded(entry.flushCount);
      endUnlessGivenUp(entry, null);
    } else if (request.operation() == IoRequest.Operation.READ) {
      readingEntry = entry;
      readBytes = 0;
    } else if (!mustBeDurable(request)) {
      cache.writeAcknowledged();
      endUnlessGivenUp(entry, null);
    } else if (export.has(NbdProtocol.FLAG_SEND_FUA) || !export.has(NbdProtocol.FLAG_SEND_FLUSH)) {
      endUnlessGivenUp(entry, null);
    } else {
      entry.flushing = true;
      waiting.addFirst(entry);
    }
    return true;
  }
}

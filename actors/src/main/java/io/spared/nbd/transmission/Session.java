package io.spared.nbd.transmission;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.nbd.negotiation.Agreement;
import io.spared.nbd.negotiation.MetaContexts;
import io.spared.nbd.wire.NbdErrors;
import io.spared.nbd.wire.NbdProtocol;
import io.spared.nbd.wire.Replies;
import io.spared.nbd.wire.RequestHeader;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The transmission phase of one connection: bytes from the socket become requests to the device's
 * queue, and their results become replies. It lives on one ring's thread, allocates nothing per
 * request once its objects are made, and never waits.
 *
 * <p>Guarantees:
 *
 * <ul>
 *   <li>Every admitted request is answered once, after the queue ended it, or the connection ends.
 *       A write is answered when all of its pieces are done, and none was answered before.
 *   <li>The chunk that says DONE leaves after all other chunks of its request: a request in several
 *       pieces gets a chunk of its own for that, written when the last piece was sent.
 *   <li>Where replies are simple, a read is one piece as long as there is room for that, so that it
 *       can fail; one in several pieces goes alone: its one header is followed by its data in
 *       order, and a piece that fails after the header left ends the connection, since the protocol
 *       has no other way to say so.
 *   <li>Bounded: requests in hand, bytes of buffers (through the ring's budget), and output. Where
 *       one is used up the client is not read any further, and nothing else happens.
 *   <li>A buffer is given back only when neither socket nor disk uses it; what the kernel holds
 *       longer is held by the buffer's own count.
 * </ul>
 */
public final class Session implements QueueHost, Transport.User {
  /** Room before a read's data for its header, so that both are sent as one; keeps alignment. */
  private static final int HEADROOM_BYTES = 4096;

  /** Data up to this is copied behind other replies: one send for many costs less than the copy. */
  private static final int COPY_BYTES_MAX = 16 << 10;

  /** A payload of which at least this is missing is received where it is written from. */
  private static final int DIRECT_BYTES_MIN = 16 << 10;

  private static final int OUTPUT_BYTES = 64 << 10;

  /** The longest read of the kernel's client, and more. */
  private static final int WHOLE_BYTES_MAX = 2 << 20;

  /** Of a ring's free buffers one read in one piece takes no more than this part. */
  private static final int WHOLE_SHARE = 8;

  private static final int RANGES_MAX = 1024;

  /** So many bytes of output are kept free for plain replies when ranges are described. */
  private static final int STATUS_ROOM_BYTES = 4 << 10;

  private final Agreement agreement;
  private final QueueContext context;
  private final Engine engine;
  private final RingBudget.Member budget;
  private final SessionLimits limits;
  private final SessionOwner owner;
  private final Replies replies;
  private final RequestRules rules;
  private final RequestHeader header = new RequestHeader();
  private final SessionCounters counters = new SessionCounters();
  private final ArrayDeque<Job> freeJobs = new ArrayDeque<>();
  private final Pieces freePieces = new Pieces();
  private final int headerBytes;

  private final IoBuffer input;
  private final ByteBuffer inputBytes;
  private int inputStart;
  private int inputEnd;

  /** The buffer that replies are written into, and the one that is being sent or is free. */
  private IoBuffer output;

  private ByteBuffer outputBytes;
  private IoBuffer otherOutput;
  private boolean sendingOutput;

  private @Nullable Transport transport;
  private @Nullable DeviceQueue queue;
  private @Nullable RemapRanges remapRanges;

  private int jobs;
  private @Nullable Job cutting;
  private @Nullable Job receivingJob;
  private @Nullable Piece receivingPiece;
  private boolean receivingDirectly;
  private boolean expectHeaderOnly;
  private long skipBytes;

  /** A read with a simple reply that goes alone. */
  private @Nullable Job alone;

  /** Ended at the device, to be answered. */
  private final Pieces ready = new Pieces();

  /** Replies with their data in their own buffer, to be sent. */
  private final Pieces direct = new Pieces();

  private @Nullable Piece sendingPiece;
  private boolean directNext;

  private boolean leaving;
  private boolean ended;
  private boolean queueClosed;
  private boolean gone;
  private boolean working;

  private long lastReceivedNanos;
  private long lastSentNanos;

  /**
   * Takes over from the negotiation.
   *
   * @param buffers input, holding what the client sent already, and two of {@link #outputBytes()}
   *     for output
   */
  public Session(
      Agreement agreement,
      QueueContext context,
      Engine engine,
      RingBudget.Member budget,
      SessionLimits limits,
      SessionOwner owner,
      SessionBuffers buffers) {
    this.agreement = agreement;
    this.context = context;
    this.engine = engine;
    this.budget = budget;
    this.limits = limits;
    this.owner = owner;
    this.replies = new Replies(agreement.structuredReplies(), agreement.extendedHeaders());
    this.rules = new RequestRules(agreement, limits.pieceBytes());
    this.headerBytes = RequestHeader.bytes(agreement.extendedHeaders());
    this.input = buffers.input();
    this.inputBytes = input.bytes();
    this.inputStart = buffers.inputStart();
    this.inputEnd = buffers.inputEnd();
    this.output = buffers.output();
    this.outputBytes = output.bytes();
    this.outputBytes.clear().order(ByteOrder.BIG_ENDIAN);
    this.otherOutput = buffers.otherOutput();
    this.otherOutput.bytes().clear().order(ByteOrder.BIG_ENDIAN);
    this.inputBytes.clear().order(ByteOrder.BIG_ENDIAN);
    this.lastReceivedNanos = engine.nanoTime();
    this.lastSentNanos = lastReceivedNanos;
  }

  /** How large input and output buffers are. */
  public static int outputBytes() {
    return OUTPUT_BYTES;
  }

  /** A piece's buffer holds the piece and room for a header. */
  public static int headroomBytes() {
    return HEADROOM_BYTES;
  }

  /** Begins with the first request; queue and transport exist by now and know this as theirs. */
  public void begin(DeviceQueue queue, Transport transport) {
    this.queue = queue;
    this.transport = transport;
  }

  public SessionCounters counters() {
    return counters;
  }

  public String exportName() {
    return agreement.export().name();
  }

  /** Requests in hand. */
  public int jobs() {
    return jobs;
  }

  // What happened below is noted; all work is done here, once per message, so that what came
  // together is answered together.

  /** Does all that can be done now. */
  public void work() {
    if (working) {
      return;
    }
    working = true;
    try {
      boolean progress = true;
      while (progress) {
        progress = answer();
        progress |= !ended && read();
      }
      send();
      receive();
      leaveIfDone();
    } finally {
      working = false;
    }
  }

  private Transport transport() {
    Transport t = transport;
    if (t == null) {
      throw new IllegalStateException("the session has not begun");
    }
    return t;
  }

  private DeviceQueue queue() {
    DeviceQueue q = queue;
    if (q == null) {
      throw new IllegalStateException("the session has not begun");
    }
    return q;
  }

  // From the client.

  /** Reads what has arrived; true when something was begun. */
  private boolean read() {
    boolean progress = false;
    while (!ended) {
      if (cutting != null) {
        if (!cut(cutting)) {
          return progress;
        }
      } else if (receivingJob != null) {
        if (!takePayload(receivingJob)) {
          return progress;
        }
      } else if (skipBytes > 0) {
        if (!skip()) {
          return progress;
        }
      } else if (!readHeader()) {
        return progress;
      }
      progress = true;
    }
    return progress;
  }

  private boolean skip() {
    int there = inputEnd - inputStart;
    if (there == 0) {
      return false;
    }
    int skipped = (int) Math.min(there, skipBytes);
    inputStart += skipped;
    skipBytes -= skipped;
    return true;
  }

  private boolean readHeader() {
    if (leaving
        || alone != null
        || inputEnd - inputStart < headerBytes
        || jobs == limits.requests()) {
      return false;
    }
    if (!header.read(inputBytes, inputStart, agreement.extendedHeaders())) {
      fail("a request does not begin with its magic number");
      return false;
    }
    int verdict = rules.judge(header);
    if (verdict == RequestRules.FATAL) {
      fail(String.valueOf(rules.whyFatal(header)));
      return false;
    }
    int type = header.type();
    if (verdict == RequestRules.ADMITTED && type == NbdProtocol.CMD_DISC) {
      inputStart += headerBytes;
      leaving = true;
      return true;
    }
    boolean isLong =
        verdict == RequestRules.ADMITTED
            && type == NbdProtocol.CMD_READ
            && !replies.structured()
            && header.lengthBytes() > limits.pieceBytes();
    boolean isWhole = isLong && mayBeWhole(header.lengthBytes() + HEADROOM_BYTES);
    boolean goesAlone = isLong && !isWhole;
    if (goesAlone && (jobs > 0 || outputBytes.position() > 0 || transport().isSending())) {
      return false;
    }
    inputStart += headerBytes;
    Job job = newJob();
    job.pieceBytes = isWhole ? Math.toIntExact(job.lengthBytes) : limits.pieceBytes();
    if (goesAlone) {
      alone = job;
    }
    if (verdict != RequestRules.ADMITTED) {
      counters.refused++;
      job.error = verdict;
      skipBytes = rules.payloadBytes(header);
      answerLater(job);
      return true;
    }
    begin(job);
    return true;
  }

  /** Nobody is kept waiting by it: there is plenty of all that it needs. */
  private boolean mayBeWhole(long bytes) {
    return bytes <= Math.min(WHOLE_BYTES_MAX, engine.buffers().largestBytes())
        && bytes <= engine.buffers().freeBytes() / WHOLE_SHARE
        && budget.hasRoom((int) bytes);
  }

  private Job newJob() {
    Job job = freeJobs.poll();
    if (job == null) {
      job = new Job();
    }
    jobs++;
    job.type = header.type();
    job.flags = header.flags();
    job.cookie = header.cookie();
    job.offsetBytes = header.offsetBytes();
    job.lengthBytes = header.lengthBytes();
    job.cutBytes = 0;
    job.pieces = 0;
    job.error = 0;
    job.begun = false;
    job.inPieces = false;
    job.flushFollows = false;
    return job;
  }

  private void begin(Job job) {
    switch (job.type) {
      case NbdProtocol.CMD_READ -> {
        counters.reads++;
        counters.readBytes += job.lengthBytes;
        job.inPieces = job.lengthBytes > job.pieceBytes;
        cutting = job;
      }
      case NbdProtocol.CMD_WRITE -> {
        counters.writes++;
        counters.writtenBytes += job.lengthBytes;
        job.inPieces = job.lengthBytes > job.pieceBytes;
        receivingJob = job;
      }
      case NbdProtocol.CMD_FLUSH, NbdProtocol.CMD_TRIM, NbdProtocol.CMD_WRITE_ZEROES -> {
        counters.others++;
        job.flushFollows =
            job.type == NbdProtocol.CMD_TRIM && (job.flags & NbdProtocol.CMD_FLAG_FUA) != 0;
        cutting = job;
      }
      default -> {
        counters.others++;
        answerLater(job);
      }
    }
  }

  /**
   * A job that needs nothing from the device gets a piece without data in the list of the ready.
   */
  private void answerLater(Job job) {
    Piece piece = newPiece(job);
    job.cutBytes = job.lengthBytes;
    ready.add(piece);
  }

  /** Cuts pieces of a job without payload and submits them; false when something is used up. */
  private boolean cut(Job job) {
    if (job.type != NbdProtocol.CMD_READ) {
      DeviceRequest request = queue().newRequest();
      if (request == null) {
        return false;
      }
      Piece piece = newPiece(job);
      job.cutBytes = job.lengthBytes;
      cutting = null;
      piece.request = request;
      switch (job.type) {
        case NbdProtocol.CMD_FLUSH -> request.flush();
        case NbdProtocol.CMD_TRIM -> request.discard(job.offsetBytes, job.lengthBytes);
        default -> {
          request.writeZeroes(job.offsetBytes, job.lengthBytes, isFua(job));
          if ((job.flags & NbdProtocol.CMD_FLAG_NO_HOLE) != 0) {
            request.withoutHoles();
          }
        }
      }
      queue().submit(request.attach(piece));
      return true;
    }
    if (alone == job && job.pieces > 0) {
      return false;
    }
    Piece piece = takePiece(job, HEADROOM_BYTES);
    if (piece == null) {
      return false;
    }
    if (job.isCut()) {
      cutting = null;
    }
    DeviceRequest request = requestOf(piece);
    request.read(piece.offsetBytes, piece.lengthBytes, piece.buffer(), piece.dataOffsetBytes);
    queue().submit(request.attach(piece));
    return true;
  }

  private static boolean isFua(Job job) {
    return (job.flags & NbdProtocol.CMD_FLAG_FUA) != 0;
  }

  private static DeviceRequest requestOf(Piece piece) {
    DeviceRequest request = piece.request;
    if (request == null) {
      throw new IllegalStateException("a piece without a request");
    }
    return request;
  }

  /** Takes what a write's payload has brought; false when more must arrive or be free first. */
  private boolean takePayload(Job job) {
    Piece piece = receivingPiece;
    if (piece == null) {
      piece = takePiece(job, 0);
      if (piece == null) {
        return false;
      }
      piece.progressBytes = 0;
      receivingPiece = piece;
    }
    int there = Math.min(inputEnd - inputStart, piece.lengthBytes - piece.progressBytes);
    if (there > 0) {
      piece
          .buffer()
          .bytes()
          .put(piece.dataOffsetBytes + piece.progressBytes, inputBytes, inputStart, there);
      inputStart += there;
      piece.progressBytes += there;
    }
    if (piece.progressBytes < piece.lengthBytes) {
      return false;
    }
    receivingPiece = null;
    if (job.isCut()) {
      receivingJob = null;
      expectHeaderOnly = job.lengthBytes >= DIRECT_BYTES_MIN;
    }
    DeviceRequest request = requestOf(piece);
    request.write(
        piece.offsetBytes, piece.lengthBytes, piece.buffer(), piece.dataOffsetBytes, isFua(job));
    queue().submit(request.attach(piece));
    return true;
  }

  /** The next piece of a job with a buffer and a request; null when one of these is used up. */
  private @Nullable Piece takePiece(Job job, int headroomBytes) {
    int lengthBytes = (int) Math.min(job.pieceBytes, job.lengthBytes - job.cutBytes);
    // Short data is copied behind other replies and needs no room before it.
    int dataOffsetBytes = lengthBytes <= COPY_BYTES_MAX && !job.inPieces ? 0 : headroomBytes;
    int bufferBytes = dataOffsetBytes + lengthBytes;
    if (!budget.take(bufferBytes)) {
      return null;
    }
    DeviceRequest request = queue().newRequest();
    IoBuffer buffer = request == null ? null : engine.buffers().take(bufferBytes);
    if (request == null || buffer == null) {
      if (request != null) {
        queue().recycle(request);
      }
      budget.give(bufferBytes);
      return null;
    }
    buffer.bytes().clear().order(ByteOrder.BIG_ENDIAN);
    Piece piece = newPiece(job);
    piece.request = request;
    piece.buffer = buffer;
    piece.budgetBytes = bufferBytes;
    piece.dataOffsetBytes = dataOffsetBytes;
    piece.offsetBytes = job.offsetBytes + job.cutBytes;
    piece.lengthBytes = lengthBytes;
    job.cutBytes += lengthBytes;
    return piece;
  }

  private Piece newPiece(Job job) {
    Piece piece = freePieces.poll();
    if (piece == null) {
      piece = new Piece();
    }
    piece.job = job;
    piece.progressBytes = 0;
    piece.onlyEnd = false;
    piece.lengthBytes = 0;
    job.pieces++;
    return piece;
  }

  private void giveBack(Piece piece) {
    DeviceRequest request = piece.request;
    if (request != null) {
      piece.request = null;
      queue().recycle(request.attach(null));
    }
    IoBuffer buffer = piece.buffer;
    if (buffer != null) {
      piece.buffer = null;
      buffer.release();
      budget.give(piece.budgetBytes);
    }
  }

  // From the device.

  @Override
  public void completed(DeviceRequest request) {
    if (request.attachment() instanceof Piece piece) {
      ready.add(piece);
    }
  }

  @Override
  public void closed() {
    // What was answered by the device still goes to the client.
    queueClosed = true;
    leaving = true;
  }

  // To the client.

  /** Writes replies while there is room; true when one was written. */
  private boolean answer() {
    boolean progress = false;
    for (Piece piece = ready.peek(); piece != null; piece = ready.peek()) {
      if (!ended && !answer(piece)) {
        break;
      }
      if (ended) {
        ready.poll();
        drop(piece);
      }
      progress = true;
    }
    return progress;
  }

  /** The first of the ready; false when there is no room for it yet. */
  private boolean answer(Piece piece) {
    if (outputBytes.remaining() < STATUS_ROOM_BYTES) {
      return false;
    }
    Job job = piece.job();
    if (job.type == NbdProtocol.CMD_READ && job.error == 0 && !piece.onlyEnd) {
      return answerRead(piece, job);
    }
    if (job.type == NbdProtocol.CMD_BLOCK_STATUS && job.error == 0) {
      ready.poll();
      answerStatus(job);
      over(piece, job);
      return true;
    }
    return answerPlain(piece, job);
  }

  private boolean answerPlain(Piece piece, Job job) {
    DeviceRequest request = piece.request;
    Errno errno = request == null || piece.onlyEnd ? null : request.errno();
    if (errno != null && job.error == 0) {
      counters.failed++;
      job.error = NbdErrors.of(errno);
    }
    if (job.flushFollows && job.error == 0 && request != null) {
      job.flushFollows = false;
      ready.poll();
      queue().submit(request.flush().attach(piece));
      return true;
    }
    ready.poll();
    if (job.pieces > 1 || !job.isCut()) {
      // Others of this job are under way, and the last one answers for all.
      job.pieces--;
      recycle(piece);
      return true;
    }
    boolean isRead = job.type == NbdProtocol.CMD_READ || job.type == NbdProtocol.CMD_BLOCK_STATUS;
    if (piece.onlyEnd) {
      replies.end(outputBytes, job.cookie, job.offsetBytes);
    } else if (job.error != 0) {
      replies.error(outputBytes, job.cookie, job.offsetBytes, job.error, isRead);
    } else {
      replies.done(outputBytes, job.cookie, job.offsetBytes);
    }
    over(piece, job);
    return true;
  }

  private boolean answerRead(Piece piece, Job job) {
    DeviceRequest request = requestOf(piece);
    Errno errno = request.errno();
    if (errno != null) {
      return answerFailedRead(piece, job, request, errno);
    }
    int dataHeader = replies.dataHeaderBytes();
    boolean last = !job.inPieces;
    if (replies.structured() && isZero(piece)) {
      ready.poll();
      replies.hole(
          outputBytes, job.cookie, job.offsetBytes, piece.offsetBytes, piece.lengthBytes, last);
      over(piece, job);
      return true;
    }
    if (piece.dataOffsetBytes == 0) {
      if (outputBytes.remaining() < dataHeader + piece.lengthBytes) {
        return false;
      }
      ready.poll();
      replies.dataHeader(
          outputBytes, job.cookie, job.offsetBytes, piece.offsetBytes, piece.lengthBytes, last);
      copy(piece, 0, piece.lengthBytes);
      over(piece, job);
      return true;
    }
    ready.poll();
    boolean withHeader = alone != job || !job.begun;
    int start = piece.dataOffsetBytes - (withHeader ? dataHeader : 0);
    if (withHeader) {
      ByteBuffer bytes = piece.buffer().bytes().position(start);
      replies.dataHeader(
          bytes, job.cookie, job.offsetBytes, piece.offsetBytes, piece.lengthBytes, last);
      bytes.clear();
    }
    job.begun = true;
    piece.sendOffsetBytes = start;
    piece.sendBytes = piece.dataOffsetBytes + piece.lengthBytes - start;
    direct.add(piece);
    return true;
  }

  /**
   * Looked at word by word: other data says so at its beginning, and zeroes are cheaper to look at
   * than to send.
   */
  private static boolean isZero(Piece piece) {
    ByteBuffer bytes = piece.buffer().bytes();
    int end = piece.dataOffsetBytes + piece.lengthBytes;
    for (int at = piece.dataOffsetBytes; at < end; at += Long.BYTES) {
      if (bytes.getLong(at) != 0) {
        return false;
      }
    }
    return true;
  }

  private void copy(Piece piece, int fromBytes, int lengthBytes) {
    int at = outputBytes.position();
    outputBytes.put(at, piece.buffer().bytes(), piece.dataOffsetBytes + fromBytes, lengthBytes);
    outputBytes.position(at + lengthBytes);
  }

  /**
   * What could be read is sent as data, what could not as errors with their offsets. Without
   * structured replies, or where one chunk was asked for, all of it is the error.
   */
  private boolean answerFailedRead(Piece piece, Job job, DeviceRequest request, Errno errno) {
    int error = NbdErrors.of(errno);
    if (!replies.structured() || (job.flags & NbdProtocol.CMD_FLAG_DF) != 0) {
      if (alone == job && job.begun) {
        counters.failed++;
        fail("a long read failed after its simple reply had begun: " + errno);
        return true;
      }
      cutting = alone == job ? null : cutting;
      job.cutBytes = job.lengthBytes;
      job.inPieces = false;
      counters.failed++;
      job.error = error;
      return true;
    }
    if (piece.progressBytes == 0) {
      counters.failed++;
    }
    while (piece.progressBytes < piece.lengthBytes) {
      long at = piece.offsetBytes + piece.progressBytes;
      long end = piece.offsetBytes + piece.lengthBytes;
      long badStart = end;
      long badEnd = end;
      for (int i = 0; i < request.badRangeCount(); i++) {
        long start = request.badOffsetBytes(i);
        if (start + request.badLengthBytes(i) > at && start < badStart) {
          badStart = start;
          badEnd = start + request.badLengthBytes(i);
        }
      }
      if (request.badRangeCount() == 0) {
        badStart = at;
      }
      int dataBytes = (int) Math.min(badStart - at, COPY_BYTES_MAX);
      if (outputBytes.remaining() < STATUS_ROOM_BYTES + Math.max(dataBytes, 0)) {
        return false;
      }
      if (dataBytes > 0) {
        boolean last = !job.inPieces && at + dataBytes == end;
        replies.dataHeader(outputBytes, job.cookie, job.offsetBytes, at, dataBytes, last);
        copy(piece, piece.progressBytes, dataBytes);
        piece.progressBytes += dataBytes;
      } else {
        boolean last = !job.inPieces && badEnd >= end;
        replies.errorOffsetChunk(outputBytes, job.cookie, job.offsetBytes, error, at, last);
        piece.progressBytes = (int) (Math.min(badEnd, end) - piece.offsetBytes);
      }
    }
    ready.poll();
    over(piece, job);
    return true;
  }

  private void answerStatus(Job job) {
    int rangesMax = (job.flags & NbdProtocol.CMD_FLAG_REQ_ONE) != 0 ? 1 : RANGES_MAX;
    if (agreement.allocationContext()) {
      long lengthBytes = Math.min(job.lengthBytes, replies.rangeBytesMax());
      replies.blockStatusHeader(
          outputBytes,
          job.cookie,
          job.offsetBytes,
          MetaContexts.ALLOCATION_ID,
          1,
          !agreement.remapContext());
      replies.range(outputBytes, lengthBytes, 0);
    }
    if (agreement.remapContext()) {
      RemapRanges ranges = remapRanges;
      if (ranges == null) {
        ranges = new RemapRanges(context.table(), context.geometry(), RANGES_MAX);
        remapRanges = ranges;
      }
      int room = outputBytes.remaining() - replies.blockStatusBytes(0);
      int fitting = room / (replies.blockStatusBytes(1) - replies.blockStatusBytes(0));
      ranges.describe(
          job.offsetBytes, job.lengthBytes, Math.min(rangesMax, fitting), replies.rangeBytesMax());
      replies.blockStatusHeader(
          outputBytes, job.cookie, job.offsetBytes, MetaContexts.REMAP_ID, ranges.count(), true);
      for (int i = 0; i < ranges.count(); i++) {
        replies.range(outputBytes, ranges.lengthBytes(i), ranges.state(i));
      }
    }
  }

  /** A piece was answered or sent; with the last of a job in pieces its end is still to be said. */
  private void over(Piece piece, Job job) {
    if (job.pieces > 1 || !job.isCut()) {
      job.pieces--;
      recycle(piece);
      return;
    }
    boolean endIsMissing =
        job.inPieces && job.type == NbdProtocol.CMD_READ && replies.structured() && !piece.onlyEnd;
    if (endIsMissing && !ended) {
      giveBack(piece);
      piece.onlyEnd = true;
      ready.add(piece);
      return;
    }
    finish(piece, job);
  }

  private void finish(Piece piece, Job job) {
    recycle(piece);
    if (alone == job) {
      alone = null;
    }
    jobs--;
    freeJobs.push(job);
  }

  private void recycle(Piece piece) {
    giveBack(piece);
    piece.job = null;
    freePieces.add(piece);
  }

  /** The client is gone; what ended for it is forgotten. */
  private void drop(Piece piece) {
    Job job = piece.job();
    if (job.pieces > 1 || !job.isCut()) {
      job.pieces--;
      recycle(piece);
    } else {
      finish(piece, job);
    }
  }

  private void send() {
    Transport t = transport();
    if (ended || t.isSending()) {
      return;
    }
    if (!direct.isEmpty() && (directNext || outputBytes.position() == 0)) {
      Piece piece = direct.poll();
      if (piece != null) {
        sendingPiece = piece;
        directNext = false;
        lastSentNanos = engine.nanoTime();
        t.send(piece.buffer(), piece.sendOffsetBytes, piece.sendBytes);
      }
    } else if (outputBytes.position() > 0) {
      IoBuffer full = output;
      int lengthBytes = outputBytes.position();
      output = otherOutput;
      outputBytes = output.bytes();
      outputBytes.clear();
      otherOutput = full;
      sendingOutput = true;
      directNext = true;
      lastSentNanos = engine.nanoTime();
      t.send(full, 0, lengthBytes);
    }
  }

  @Override
  public void sent() {
    lastSentNanos = engine.nanoTime();
    if (sendingOutput) {
      sendingOutput = false;
      return;
    }
    Piece piece = sendingPiece;
    if (piece != null) {
      sendingPiece = null;
      if (ended) {
        drop(piece);
      } else {
        over(piece, piece.job());
      }
    }
  }

  // The socket.

  private void receive() {
    Transport t = transport();
    boolean midRequest = receivingJob != null || skipBytes > 0;
    if (ended || (leaving && !midRequest) || t.isReceiving()) {
      return;
    }
    Piece piece = receivingPiece;
    if (piece != null && inputStart == inputEnd) {
      int missing = piece.lengthBytes - piece.progressBytes;
      if (missing >= DIRECT_BYTES_MIN || (receivingDirectly && missing > 0)) {
        receivingDirectly = true;
        t.receive(piece.buffer(), piece.dataOffsetBytes + piece.progressBytes, missing);
        return;
      }
    }
    receivingDirectly = false;
    boolean blocked = cutting != null || (receivingJob != null && piece == null);
    if (inputEnd - inputStart >= headerBytes && (blocked || piece == null)) {
      return;
    }
    if (inputStart == inputEnd) {
      inputStart = 0;
      inputEnd = 0;
    } else if (inputStart > 0) {
      inputBytes.put(0, inputBytes, inputStart, inputEnd - inputStart);
      inputEnd -= inputStart;
      inputStart = 0;
    }
    boolean headerOnly = expectHeaderOnly && piece == null && skipBytes == 0;
    int room = headerOnly ? headerBytes - inputEnd : input.capacityBytes() - inputEnd;
    if (room > 0) {
      t.receive(input, inputEnd, room);
    }
  }

  @Override
  public void received(int bytes) {
    lastReceivedNanos = engine.nanoTime();
    if (receivingDirectly) {
      Piece piece = receivingPiece;
      if (piece != null) {
        piece.progressBytes += bytes;
        receivingDirectly = piece.progressBytes < piece.lengthBytes;
      }
      return;
    }
    expectHeaderOnly = false;
    inputEnd += bytes;
  }

  @Override
  public void broken(boolean byPeer, String reason) {
    if (!ended) {
      boolean between = receivingJob == null && skipBytes == 0 && inputStart == inputEnd;
      String where = between ? "" : ", in the middle of a request";
      end(byPeer && between && jobs == 0, reason + where);
    }
  }

  /** Looks at the time: whether the client stalls or is idle. */
  public void tick() {
    long now = engine.nanoTime();
    if (ended) {
      work();
      return;
    }
    boolean midFrame =
        receivingPiece != null || skipBytes > 0 || (inputEnd > inputStart && cutting == null);
    if (transport().isSending() && now - lastSentNanos > limits.stallNanos()) {
      fail("the client takes no replies");
    } else if (midFrame
        && transport().isReceiving()
        && now - lastReceivedNanos > limits.stallNanos()) {
      fail("the client broke off in the middle of a request");
    } else if (limits.idleNanos() > 0
        && jobs == 0
        && now - lastReceivedNanos > limits.idleNanos()) {
      end(true, "the client was idle for too long");
    }
    // A slab that others had used up says nothing when it is free again.
    work();
  }

  // The end.

  /** No more requests are taken; those in hand are answered, then the connection ends. */
  public void leave() {
    leaving = true;
    work();
  }

  /** The connection ends now. */
  public void end(boolean orderly, String reason) {
    if (ended) {
      return;
    }
    ended = true;
    budget.leave();
    transport().close();
    owner.ended(orderly, reason);
    Piece half = receivingPiece;
    if (half != null) {
      receivingPiece = null;
      recycle(half);
    }
    Job unfinished = receivingJob != null ? receivingJob : cutting;
    receivingJob = null;
    cutting = null;
    if (unfinished != null) {
      unfinished.pieces -= half == null ? 0 : 1;
      unfinished.cutBytes = unfinished.lengthBytes;
      if (unfinished.pieces == 0) {
        jobs--;
      }
    }
    for (Piece piece = direct.poll(); piece != null; piece = direct.poll()) {
      drop(piece);
    }
    Piece piece = sendingPiece;
    if (piece != null) {
      sendingPiece = null;
      drop(piece);
    }
    if (!queueClosed) {
      queue().drain();
    }
    if (!working) {
      work();
    }
  }

  private void fail(String reason) {
    end(false, reason);
  }

  private void leaveIfDone() {
    if (leaving && !ended && jobs == 0 && outputBytes.position() == 0 && !transport().isSending()) {
      end(true, queueClosed ? "the device stopped" : "the client disconnected");
    }
    if (ended && queueClosed && !gone) {
      hostEnded();
      owner.gone();
    }
  }

  /** Nobody drives it any more: its own buffers go back. Requests have gone back to it before. */
  public void hostEnded() {
    if (!gone) {
      gone = true;
      budget.leave();
      input.release();
      output.release();
      otherOutput.release();
    }
  }
}

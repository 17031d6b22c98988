package io.spared.ublk;

import io.spared.device.DeviceCommand;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.ublk.IoDescriptors;
import io.spared.ffi.ublk.UblkCharacterDevice;
import io.spared.ffi.ublk.UblkException;
import io.spared.ffi.ublk.UblkQueuePort;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Locale;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One queue of a ublk device, on a ring's thread: it takes requests from the driver, gives them to
 * the device's queue that it hosts, and commits their results.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Every tag is fetched and committed on this ring's thread: the driver takes it from no
 *       other.
 *   <li>A tag that arrived is committed exactly once, or left unanswered only when the device is
 *       left to a next server, which gets the request again. It is committed with success only when
 *       the device's queue ended the request without an error in any part of it ({@link
 *       UblkResults} says why), for a READ only after the data were delivered.
 *   <li>A buffer that the driver may fill (fetched with the tag) is given back only when the tag is
 *       over; one that a failed request may still be written from or read into by the kernel is not
 *       used for the next request: the tag gets another.
 *   <li><b>Pages of the kernel's</b> (zero copy) are read and written by no disk once their request
 *       was answered, and by no disk's request that is another request's. The first half is the
 *       driver's: it registers the pages of a request in a place of the ring's table before the
 *       request comes here; a disk's request holds the registration from the moment the kernel
 *       takes it up until its end; committing the tag takes the registration out of the table, and
 *       the program is answered only when the last holder has ended. So a request that was given up
 *       at its deadline may be committed at once, and is answered when the disk has let go. The
 *       second half is kept here: a disk's request names a place, not pages, and may be taken up
 *       again later (the rest of a short transfer, one that had no room). So the driver gets a
 *       place with a tag only while no disk's request holds its {@link IoBuffer}; a tag whose place
 *       is held gets another. Until that request has ended, the place stays empty, and whoever
 *       names it meanwhile fails and touches nothing.
 *   <li>{@link FrontendMessage.QueueEnded} is told once, when no tag is with the driver and the
 *       descriptors are unmapped.
 * </ul>
 *
 * <p>When this actor crashes it does not leave the programs above hanging: it goes on, answering
 * every request with an error, until the device has been stopped; then it ends without draining,
 * and the device's queue ends by itself once the kernel has let go of its requests ({@link
 * DeviceQueue#hostEnded}). If answering crashes for every tag, it ends as it is, and with it the
 * daemon: the next one gets the requests again.
 */
final class UblkQueue extends AbstractBehavior<UblkQueueMessage> implements QueueHost {
  private static final int EIO = UblkQueuePort.failure(Errno.EIO);

  /** Beyond one for each tag, which a defect in answering may cost. */
  private static final int CRASHES_MAX = 16;

  private static final Duration BUFFERS_AGAIN = Duration.ofMillis(2);

  private final DriverEngine engine;
  private final UblkCharacterDevice file;
  private final int index;
  private final Moving moving;
  private final ActorRef<FrontendMessage> frontend;
  private final TimerScheduler<UblkQueueMessage> timers;
  private final Completions completions;

  private @Nullable DeviceQueue queue;
  private @Nullable UblkQueuePort port;
  private Tag[] tags = new Tag[0];
  private final ArrayDeque<Tag> waiting = new ArrayDeque<>();

  private int withDriver;
  private int busy;
  private boolean leaving;
  private boolean failing;
  private boolean crashed;
  private int crashes;
  private boolean ended;
  private boolean queueClosed;

  static Behavior<UblkQueueMessage> create(
      DriverEngine engine,
      UblkCharacterDevice file,
      int index,
      Moving moving,
      ActorRef<DeviceCommand> device,
      ActorRef<FrontendMessage> frontend) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          UblkQueue queue = new UblkQueue(context, timers, engine, file, index, moving, frontend);
          device.tell(
              new DeviceCommand.OpenQueue(
                  "ublkb" + file.info().number() + " queue " + index,
                  context.messageAdapter(QueueCommand.class, UblkQueueMessage.ForQueue::new),
                  context.messageAdapter(
                      DeviceCommand.QueueOpening.class, UblkQueueMessage.Opening::new)));
          return queue;
        }));
  }

  private UblkQueue(
      ActorContext<UblkQueueMessage> context,
      TimerScheduler<UblkQueueMessage> timers,
      DriverEngine engine,
      UblkCharacterDevice file,
      int index,
      Moving moving,
      ActorRef<FrontendMessage> frontend) {
    super(context);
    this.timers = timers;
    this.engine = engine;
    this.file = file;
    this.index = index;
    this.moving = moving;
    this.frontend = frontend;
    ActorRef<UblkQueueMessage> self = context.getSelf();
    this.completions = new Completions(() -> self.tell(UblkQueueMessage.DriverReady.INSTANCE));
  }

  @Override
  public Receive<UblkQueueMessage> createReceive() {
    return newReceiveBuilder()
        .onMessage(UblkQueueMessage.class, this::received)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  private Behavior<UblkQueueMessage> received(UblkQueueMessage message) {
    try {
      handle(message);
    } catch (RuntimeException e) {
      crashed(e);
    }
    return ended && (queueClosed || queue == null || crashed) ? Behaviors.stopped() : this;
  }

  private void handle(UblkQueueMessage message) {
    switch (message) {
      case UblkQueueMessage.DriverReady _ -> driverReady();
      case UblkQueueMessage.DisksReady _ -> disksReady();
      case UblkQueueMessage.ForQueue m -> forQueue(m.command());
      case UblkQueueMessage.Opening m -> opening(m.answer());
      case UblkQueueMessage.BuffersAgain _ -> serveWaiting();
      case UblkQueueMessage.Abandon _ -> abandon();
      case UblkQueueMessage.Leave _ -> leaving = true;
      case UblkQueueMessage.LeaveRequests _ -> leaveRequests();
    }
    endIfOver();
  }

  private void crashed(RuntimeException cause) {
    getContext().getLog().error("ublk queue {} crashed", index, cause);
    if (!crashed) {
      crashed = true;
      fail("it crashed: " + cause);
    }
    if (++crashes > CRASHES_MAX + tags.length) {
      // Not a request at a time any more: a daemon that ends leaves no program hanging, this would.
      throw cause;
    }
    waiting.clear();
    for (Tag tag : tags) {
      if (tag.state == Tag.State.IN_DEVICE) {
        // Its buffer stays taken for ever: nobody knows any more who writes to it.
        tag.buffer = null;
        tag.pages = null;
      }
      if (tag.isInHand()) {
        tag.answered = false;
        answerWithNewBuffer(tag, EIO);
      }
    }
    // What had ended and was not taken yet is told of only once.
    getContext().getSelf().tell(UblkQueueMessage.DriverReady.INSTANCE);
  }

  /** From here on every request is answered with an error. */
  private void fail(String sentence) {
    failing = true;
    frontend.tell(new FrontendMessage.QueueFailed(index, sentence));
  }

  // Opening.

  private void opening(DeviceCommand.QueueOpening answer) {
    switch (answer) {
      case DeviceCommand.QueueOpening.Opened opened -> open(opened.context());
      case DeviceCommand.QueueOpening.NotOpened refused -> notOpened(refused.sentence());
    }
  }

  private void notOpened(String sentence) {
    frontend.tell(new FrontendMessage.QueueFailed(index, sentence));
    end();
  }

  private void open(QueueContext context) {
    if (leaving || failing || ended) {
      // The frontend gave up meanwhile; the device sees this actor end.
      end();
      return;
    }
    ActorRef<UblkQueueMessage> self = getContext().getSelf();
    queue =
        new DeviceQueue(
            context, engine, () -> self.tell(UblkQueueMessage.DisksReady.INSTANCE), this);
    UblkQueuePort opened;
    try {
      opened = file.attach(index, engine);
    } catch (UblkException e) {
      notOpened(e.getMessage() == null ? e.toString() : e.getMessage());
      queue.drain();
      return;
    }
    port = opened;
    tags = new Tag[opened.depth()];
    for (int i = 0; i < tags.length; i++) {
      tags[i] = new Tag(i, completions);
    }
    if (!takeTagBuffers()) {
      return;
    }
    for (Tag tag : tags) {
      tag.state = Tag.State.WITH_DRIVER;
      withDriver++;
      opened.fetch(tag.number, tag.command, given(tag));
    }
    frontend.tell(new FrontendMessage.QueueFetching(index));
  }

  /** What the driver is given with a tag. */
  private @Nullable IoBuffer given(Tag tag) {
    return switch (moving) {
      case BY_DRIVER -> tag.buffer;
      case BY_DAEMON -> null;
      case BY_NOBODY -> tag.pages;
    };
  }

  /** Sees to it that the tag can be given to the driver; false when something for it is missing. */
  private boolean provide(Tag tag) {
    switch (moving) {
      case BY_DRIVER -> {
        if (tag.buffer == null) {
          tag.buffer = engine.buffers().take(file.info().maxIoBytes());
        }
        return tag.buffer != null;
      }
      case BY_DAEMON -> {
        return true;
      }
      case BY_NOBODY -> {
        if (tag.pages == null) {
          tag.pages = engine.takePages();
        }
        return tag.pages != null;
      }
    }
    throw new IllegalStateException("unreachable");
  }

  private boolean takeTagBuffers() {
    if (moving == Moving.BY_NOBODY && !theQueue().disksTakePages()) {
      return cannotBegin(
          "a disk of this device is not read and written through io_uring, so its data cannot go"
              + " without copying; set copying = auto");
    }
    for (Tag tag : tags) {
      if (!provide(tag)) {
        return cannotBegin(
            moving == Moving.BY_NOBODY
                ? "the ring has no places for the pages of "
                    + tags.length
                    + " requests; let the daemon copy, or make the queue shallower"
                : String.format(
                    Locale.ROOT,
                    "the ring has no memory for %d buffers of %d KiB; let the daemon copy, or make"
                        + " the slab larger or the queue shallower",
                    tags.length,
                    file.info().maxIoBytes() >> 10));
      }
    }
    return true;
  }

  private boolean cannotBegin(String sentence) {
    notOpened(sentence);
    theQueue().drain();
    return false;
  }

  private DeviceQueue theQueue() {
    if (queue == null) {
      throw new IllegalStateException("no queue of the device is open");
    }
    return queue;
  }

  private UblkQueuePort thePort() {
    if (port == null) {
      throw new IllegalStateException("no queue of the driver is open");
    }
    return port;
  }

  private void forQueue(QueueCommand command) {
    if (queue != null && !crashed) {
      queue.handle(command);
    }
  }

  private void disksReady() {
    if (queue != null && !crashed) {
      queue.completionsReady();
    }
    serveWaiting();
  }

  // Requests.

  private void driverReady() {
    IoRequest request = completions.next();
    while (request != null) {
      if (!(request.attachment() instanceof Tag tag)) {
        throw new IllegalStateException("a request without a tag: " + request);
      }
      commandEnded(tag, request);
      request = completions.next();
    }
    serveWaiting();
  }

  private void commandEnded(Tag tag, IoRequest request) {
    withDriver--;
    if (request.outcome() == IoRequest.Outcome.DONE) {
      begin(tag);
      return;
    }
    tag.state = Tag.State.OVER;
    giveBack(tag);
    giveUpPages(tag);
    Errno errno = request.errno();
    if (errno != Errno.ENODEV && errno != Errno.ECANCELED && !failing && !ended) {
      fail("the driver did not take tag " + tag.number + ": " + errno);
    }
  }

  private void begin(Tag tag) {
    if (leaving) {
      tag.state = Tag.State.LEFT;
      return;
    }
    tag.state = Tag.State.ARRIVED;
    busy++;
    if (failing) {
      answer(tag, EIO);
      return;
    }
    IoDescriptors descriptors = thePort().descriptors();
    tag.operation = descriptors.operation(tag.number);
    tag.startBytes = descriptors.startBytes(tag.number);
    tag.lengthBytes = descriptors.lengthBytes(tag.number);
    tag.forcedUnitAccess = descriptors.forcedUnitAccess(tag.number);
    tag.filled = moving == Moving.BY_DRIVER;
    advance(tag);
  }

  /** As far as it goes; what has to wait is tried again when something was given back. */
  private void advance(Tag tag) {
    if (!tryToAdvance(tag)) {
      tag.state = Tag.State.WAITING;
      waitAgain(tag);
    }
  }

  private boolean tryToAdvance(Tag tag) {
    switch (tag.operation) {
      case READ, WRITE -> {
        if (tag.buffer == null && tag.pages != null && theQueue().takesPages()) {
          return submit(tag, tag.pages);
        }
        if (tag.buffer == null) {
          tag.buffer = engine.buffers().take(tag.lengthBytes);
          if (tag.buffer == null) {
            return false;
          }
        }
        if (tag.operation == IoDescriptors.Operation.WRITE && !tag.filled) {
          if (!thePort().copyIn(tag.number, tag.buffer, tag.lengthBytes)) {
            answer(tag, EIO);
            return true;
          }
          tag.filled = true;
        }
        return submit(tag, tag.buffer);
      }
      case FLUSH, DISCARD, WRITE_ZEROES -> {
        return submit(tag, null);
      }
      case OTHER -> {
        answer(tag, UblkQueuePort.failure(Errno.EOPNOTSUPP));
        return true;
      }
    }
    throw new IllegalStateException("unreachable");
  }

  private boolean submit(Tag tag, @Nullable IoBuffer buffer) {
    DeviceRequest request = theQueue().newRequest();
    if (request == null) {
      return false;
    }
    request.attach(tag);
    tag.request = request;
    tag.state = Tag.State.IN_DEVICE;
    switch (tag.operation) {
      case READ -> request.read(tag.startBytes, tag.lengthBytes, must(buffer), 0);
      case WRITE ->
          request.write(tag.startBytes, tag.lengthBytes, must(buffer), 0, tag.forcedUnitAccess);
      case FLUSH -> request.flush();
      case DISCARD -> request.discard(tag.startBytes, tag.lengthBytes);
      case WRITE_ZEROES ->
          request.writeZeroes(tag.startBytes, tag.lengthBytes, tag.forcedUnitAccess);
      case OTHER -> throw new IllegalStateException("not for the device");
    }
    theQueue().submit(request);
    return true;
  }

  private static IoBuffer must(@Nullable IoBuffer buffer) {
    if (buffer == null) {
      throw new IllegalStateException("data without a buffer");
    }
    return buffer;
  }

  @Override
  public void completed(DeviceRequest request) {
    if (!(request.attachment() instanceof Tag tag)) {
      throw new IllegalStateException("a request without a tag: " + request);
    }
    tag.request = null;
    int result = UblkResults.of(request);
    theQueue().recycle(request);
    if (tag.state == Tag.State.LEFT) {
      giveBack(tag);
      giveUpPages(tag);
      return;
    }
    if (tag.pages != null && tag.pages.isShared()) {
      // A disk's request that was given up still names the place: the tag gets another.
      giveUpPages(tag);
      answerWithNewBuffer(tag, result);
      return;
    }
    if (moving == Moving.BY_DRIVER && tag.buffer != null && tag.buffer.isShared()) {
      // The kernel still holds a disk's request, and so the buffer: the tag gets another. What of a
      // read may be in the old one is not delivered.
      giveBack(tag);
      answerWithNewBuffer(
          tag, result > 0 && tag.operation == IoDescriptors.Operation.READ ? EIO : result);
      return;
    }
    if (result > 0
        && tag.operation == IoDescriptors.Operation.READ
        && moving != Moving.BY_DRIVER
        && tag.buffer != null
        && !thePort().copyOut(tag.number, tag.buffer, result)) {
      result = EIO;
    }
    answer(tag, result);
  }

  @Override
  public @Nullable IoBuffer bringToMemory(DeviceRequest write) {
    if (!(write.attachment() instanceof Tag tag)) {
      throw new IllegalStateException("a request without a tag: " + write);
    }
    if (tag.state == Tag.State.LEFT) {
      return null;
    }
    IoBuffer memory = engine.buffers().take(tag.lengthBytes);
    if (memory == null) {
      memory = IoBuffer.unpooled(tag.lengthBytes);
    }
    if (!thePort().copyIn(tag.number, memory, tag.lengthBytes)) {
      memory.release();
      return null;
    }
    tag.buffer = memory;
    return memory;
  }

  /** Answers a tag whose buffer was given up; what the driver is given is needed first. */
  private void answerWithNewBuffer(Tag tag, int result) {
    if (!provide(tag)) {
      tag.state = Tag.State.WAITING;
      tag.answered = true;
      tag.result = result;
      waitAgain(tag);
      return;
    }
    answer(tag, result);
  }

  private void waitAgain(Tag tag) {
    waiting.add(tag);
    timers.startSingleTimer(UblkQueueMessage.BuffersAgain.INSTANCE, BUFFERS_AGAIN);
  }

  private void answer(Tag tag, int result) {
    if (moving != Moving.BY_DRIVER) {
      giveBack(tag);
    }
    thePort().commit(tag.number, result, tag.command, given(tag));
    tag.state = Tag.State.WITH_DRIVER;
    busy--;
    withDriver++;
  }

  private static void giveBack(Tag tag) {
    IoBuffer buffer = tag.buffer;
    if (buffer != null) {
      tag.buffer = null;
      buffer.release();
    }
  }

  private static void giveUpPages(Tag tag) {
    IoBuffer pages = tag.pages;
    if (pages != null) {
      tag.pages = null;
      pages.release();
    }
  }

  private void serveWaiting() {
    for (int i = waiting.size(); i > 0; i--) {
      Tag tag = waiting.remove();
      if (tag.answered) {
        tag.answered = false;
        answerWithNewBuffer(tag, tag.result);
      } else if (failing) {
        answer(tag, EIO);
      } else if (!tryToAdvance(tag)) {
        // The oldest first again: nobody overtakes it for long.
        waiting.addFirst(tag);
        timers.startSingleTimer(UblkQueueMessage.BuffersAgain.INSTANCE, BUFFERS_AGAIN);
        return;
      }
    }
  }

  // Ending.

  private void abandon() {
    if (ended) {
      return;
    }
    if (queue == null) {
      // Not even opened: the device's answer, if it comes, is handed back.
      failing = true;
      end();
      return;
    }
    queue.handle(new QueueCommand.Abandon());
  }

  /**
   * The disks have what is in hand for longer than is waited for. Nothing of it is answered: the
   * next server gets it again, once the kernel has let go of the disks' requests that this one
   * leaves behind, as when a daemon dies.
   */
  private void leaveRequests() {
    leaving = true;
    if (ended) {
      return;
    }
    if (queue == null) {
      end();
      return;
    }
    waiting.clear();
    for (Tag tag : tags) {
      if (tag.isInHand()) {
        if (tag.state != Tag.State.IN_DEVICE) {
          giveBack(tag);
          giveUpPages(tag);
        }
        tag.state = Tag.State.LEFT;
        busy--;
      }
    }
  }

  /**
   * Over when the driver has no tag, or, when leaving, when nothing that was begun is unfinished.
   */
  private void endIfOver() {
    if (ended || port == null || busy > 0) {
      return;
    }
    if (withDriver == 0 || leaving) {
      end();
    }
  }

  private void end() {
    if (ended) {
      return;
    }
    ended = true;
    if (port != null) {
      port.close();
    }
    if (queue != null && !crashed && !queueClosed) {
      queue.drain();
    }
    frontend.tell(new FrontendMessage.QueueEnded(index));
  }

  @Override
  public void closed() {
    queueClosed = true;
    if (!ended && !failing && port != null) {
      // The device gave this queue up, to stop or to be assembled anew: the block device goes, and
      // comes again with the device.
      fail("its device stopped serving it");
    }
  }

  /**
   * Stopped from above in the middle of things, which only a daemon that ends does: what is in hand
   * is not answered, so that the next daemon gets it again.
   */
  private Behavior<UblkQueueMessage> stopped() {
    DeviceQueue open = queue;
    if (open != null) {
      open.hostEnded();
    }
    return this;
  }
}

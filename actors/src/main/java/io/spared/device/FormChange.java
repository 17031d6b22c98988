package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.DeviceImage;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.relocation.RelocatorCommand.CommitResult;
import io.spared.spare.SpareReply;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * A set-up takes another form while its device serves: to labelled, the label is durable before the
 * commit that says so; to adopt, it is wiped after it. So what the metadata says of a label is
 * there at every moment, and a label that it does not speak of names main as it is, and harms
 * nobody. The size of the device stays as it is, so a label needs room behind it.
 */
final class FormChange {
  private static final String NO_MEMORY = "there is no memory for it now; try again";

  private final Run run;
  private final Serving serving;
  private final Form to;
  private final ActorRef<Answer> asker;
  private final UnitTransfers label;
  private final long labelOffsetBytes;
  private boolean over;

  FormChange(Run run, Serving serving, Form to, ActorRef<Answer> asker) {
    this.run = run;
    this.serving = serving;
    this.to = to;
    this.asker = asker;
    this.label =
        new UnitTransfers(
            run, () -> run.tell(new DeviceNews.LabelAnswered(run.number)), this::ended);
    this.labelOffsetBytes = MainLabel.offsetBytes(serving.main().geometry().sizeBytes());
  }

  boolean isOver() {
    return over;
  }

  void begin() {
    Optional<String> objection = objection();
    if (objection.isPresent()) {
      end(new Answer.Refused(objection.get()));
      return;
    }
    label.attach(serving.main());
    if (to == Form.LABELLED) {
      read();
    } else {
      commit();
    }
  }

  private Optional<String> objection() {
    DeviceImage image = serving.image();
    Disk main = serving.main();
    if (image.form() == to) {
      return Optional.of("it has that form already");
    }
    if (to == Form.SELF_SPARE) {
      return Optional.of("the self-spare form is made by create only");
    }
    if (serving.replacement().isUnderWay()) {
      return Optional.of("main is being replaced; try again when that has ended");
    }
    for (SpareReply.Attached spare : serving.spares().values()) {
      if (isTail(spare.address())) {
        return Optional.of(
            spare.address()
                + " is the tail of main and its spare; give it another with spared ctl replace "
                + run.settings.name()
                + " spare-N NEWDISK first");
      }
    }
    if (to == Form.ADOPT) {
      return Optional.empty();
    }
    if (image.main().dataOffsetBytes() + image.geometry().deviceBytes() > labelOffsetBytes) {
      return Optional.of(
          main.address()
              + ": the device reaches to its end, and its size is fixed, so there is no room for a"
              + " label; replace main by a larger disk first");
    }
    for (DiskIdentity.Content content : main.identity().contents()) {
      if (content.endBytes() > labelOffsetBytes) {
        return Optional.of(
            main.address()
                + ": its "
                + content.kind()
                + " reaches to byte "
                + content.endBytes()
                + ", where the label would stand");
      }
    }
    return Optional.empty();
  }

  static boolean isTail(DiskAddress address) {
    return switch (address) {
      case DiskAddress.OfTail tail -> true;
      case DiskAddress.OfFault fault -> isTail(fault.inner());
      default -> false;
    };
  }

  private void read() {
    if (!label.read(labelOffsetBytes)) {
      end(new Answer.Refused(NO_MEMORY));
    }
  }

  private void write(ByteBuffer bytes) {
    if (!label.write(labelOffsetBytes, bytes)) {
      end(new Answer.Refused(NO_MEMORY));
    }
  }

  void answered() {
    label.answered();
  }

  private void ended(
      IoRequest.Operation operation, long offsetBytes, boolean done, ByteBuffer bytes) {
    if (operation == IoRequest.Operation.READ) {
      wasRead(done, bytes);
    } else {
      wasWritten(done);
    }
  }

  private void wasRead(boolean done, ByteBuffer bytes) {
    String place = serving.main().address() + ": the place of the label";
    if (!done) {
      end(new Answer.Refused(place + " cannot be read"));
    } else if (!isFree(bytes)) {
      end(new Answer.Refused(place + " is not empty, so nobody can say that it is free"));
    } else {
      DeviceImage image = serving.image();
      write(
          new MainLabel(
                  image.main().mainId(),
                  image.deviceId(),
                  to,
                  serving.main().geometry().sizeBytes(),
                  image.main().dataOffsetBytes(),
                  image.geometry().deviceBytes())
              .write());
    }
  }

  /** Empty, or a label of this device. */
  private boolean isFree(ByteBuffer bytes) {
    ByteBuffer looked = bytes.duplicate();
    boolean empty = true;
    while (looked.hasRemaining()) {
      empty &= looked.get() == 0;
    }
    try {
      return empty
          || MainLabel.read(bytes, serving.main().geometry().sizeBytes())
              .deviceId()
              .equals(serving.image().deviceId());
    } catch (FormatException another) {
      return false;
    }
  }

  private void wasWritten(boolean done) {
    if (to == Form.LABELLED && done) {
      commit();
    } else if (to == Form.LABELLED) {
      end(new Answer.Refused(serving.main().address() + ": the label could not be written"));
    } else {
      end(
          new Answer.Done(
              done
                  ? "it is of the adopt form now"
                  : "it is of the adopt form now; the old label could not be wiped, and is ignored"));
    }
  }

  private void commit() {
    serving
        .commits()
        .ask(List.of(new Change.FormChanged(to)), new Commits.Purpose.Converting(), run.nowNanos());
  }

  List<Fact> ended(CommitResult result, String sentence) {
    if (over) {
      return List.of();
    }
    if (result != CommitResult.COMMITTED) {
      end(Serving.notDurable(result, sentence));
    } else if (to == Form.ADOPT) {
      write(ByteBuffer.allocate(CopyLayout.UNIT_BYTES));
    } else {
      end(new Answer.Done("it is of the labelled form now"));
    }
    return List.of();
  }

  void giveUp() {
    if (!over) {
      end(Serving.ENDED);
    }
  }

  private void end(Answer answer) {
    over = true;
    label.detach();
    asker.tell(answer);
  }
}

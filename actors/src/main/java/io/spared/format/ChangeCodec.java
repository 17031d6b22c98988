package io.spared.format;

import io.spared.ffi.disk.DiskIdentity;
import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Changes as bytes: kind (2), length of the body (2), body. Log records and the header of a
 * checkpoint are made of them. Decoding trusts nothing: lengths, counts and values are checked
 * before anything is allocated for them.
 */
final class ChangeCodec {
  /** Kinds from here on may be kept by a reader that does not know them. */
  static final int OPTIONAL_KINDS = 0x8000;

  static final int STRING_BYTES_MAX = 255;
  static final int LIST_MAX = 32;

  /** Links and contents beyond it are left out, so that two disks' evidence fits one commit. */
  static final int EVIDENCE_BYTES_SOFT_MAX = 2560;

  static final long NUMBER_48_MAX = (1L << 48) - 1;

  private static final int REMAPPED = 1;
  private static final int UNMAPPED = 2;
  private static final int LOST_CHANGED = 3;
  private static final int PENDING_SET = 4;
  private static final int PENDING_CLEARED = 5;
  private static final int SLOT_RETIRED = 6;
  private static final int EXTENT_LENT = 7;
  private static final int EXTENT_RETURNED = 8;
  private static final int SPARE_ADDED = 9;
  private static final int SPARE_REMOVED = 10;
  private static final int SPARE_STATE_CHANGED = 11;
  private static final int SPARE_EVIDENCE_RECORDED = 12;
  private static final int MAIN_RECORDED = 13;
  private static final int FORM_CHANGED = 14;
  private static final int POLICY_SET = 15;
  private static final int POLICY_CLEARED = 16;
  private static final int CURSOR_MOVED = 17;
  private static final int REPLACE_STARTED = 18;
  private static final int REPLACE_MOVED = 19;
  private static final int REPLACE_ENDED = 20;
  private static final int EVENT_RECORDED = 21;
  private static final int COUNTER_SET = 22;
  private static final int CLEAN_MARKED = 23;
  private static final int EPOCH_RAISED = 24;
  private static final int COPIES_PLACED = 25;
  private static final int NAME_CHANGED = 26;

  private ChangeCodec() {}

  /**
   * Appends the change at the buffer's position.
   *
   * @return false, with the position as before, when it does not fit
   */
  static boolean write(Change change, ByteBuffer out) {
    out.order(ByteOrder.LITTLE_ENDIAN);
    int start = out.position();
    try {
      out.putShort((short) kindOf(change));
      out.putShort((short) 0);
      writeBody(change, out);
    } catch (BufferOverflowException e) {
      out.position(start);
      return false;
    }
    int bodyBytes = out.position() - start - 4;
    if (bodyBytes > 0xFFFF) {
      out.position(start);
      return false;
    }
    out.putShort(start + 2, (short) bodyBytes);
    return true;
  }

  private static int kindOf(Change change) {
    return switch (change) {
      case Change.Remapped c -> REMAPPED;
      case Change.Unmapped c -> UNMAPPED;
      case Change.LostChanged c -> LOST_CHANGED;
      case Change.PendingSet c -> PENDING_SET;
      case Change.PendingCleared c -> PENDING_CLEARED;
      case Change.SlotRetired c -> SLOT_RETIRED;
      case Change.ExtentLent c -> EXTENT_LENT;
      case Change.ExtentReturned c -> EXTENT_RETURNED;
      case Change.SpareAdded c -> SPARE_ADDED;
      case Change.SpareRemoved c -> SPARE_REMOVED;
      case Change.SpareStateChanged c -> SPARE_STATE_CHANGED;
      case Change.SpareEvidenceRecorded c -> SPARE_EVIDENCE_RECORDED;
      case Change.MainRecorded c -> MAIN_RECORDED;
      case Change.FormChanged c -> FORM_CHANGED;
      case Change.PolicySet c -> POLICY_SET;
      case Change.PolicyCleared c -> POLICY_CLEARED;
      case Change.CursorMoved c -> CURSOR_MOVED;
      case Change.ReplaceStarted c -> REPLACE_STARTED;
      case Change.ReplaceMoved c -> REPLACE_MOVED;
      case Change.ReplaceEnded c -> REPLACE_ENDED;
      case Change.EventRecorded c -> EVENT_RECORDED;
      case Change.CounterSet c -> COUNTER_SET;
      case Change.CleanMarked c -> CLEAN_MARKED;
      case Change.EpochRaised c -> EPOCH_RAISED;
      case Change.CopiesPlaced c -> COPIES_PLACED;
      case Change.NameChanged c -> NAME_CHANGED;
      case Change.Kept c -> c.kind();
    };
  }

  private static void writeBody(Change change, ByteBuffer out) {
    switch (change) {
      case Change.Remapped c -> {
        writeBlockAndSpare(c.block(), c.spare(), out);
        out.putLong(checked48(c.slot(), "slot"));
        writeBits(c.lost(), out);
      }
      case Change.Unmapped c -> out.putLong(checked48(c.block(), "block"));
      case Change.LostChanged c -> {
        out.putLong(checked48(c.block(), "block"));
        writeBits(c.lost(), out);
      }
      case Change.PendingSet c -> {
        out.putLong(checked48(c.block(), "block"));
        writeBits(c.unreadable(), out);
      }
      case Change.PendingCleared c -> out.putLong(checked48(c.block(), "block"));
      case Change.SlotRetired c -> writeBlockAndSpare(c.slot(), c.spare(), out);
      case Change.ExtentLent c -> {
        out.putShort((short) c.extent().spare());
        out.put((byte) c.extent().kind().code());
        out.putLong(c.extent().offsetBytes());
        out.putLong(c.extent().lengthBytes());
      }
      case Change.ExtentReturned c -> {
        out.putShort((short) c.spare());
        out.putLong(c.offsetBytes());
        out.putLong(c.lengthBytes());
      }
      case Change.SpareAdded c -> {
        out.putShort((short) c.spare().index());
        out.put((byte) c.spare().state().code());
        writeUuid(c.spare().spareId(), out);
        writeEvidence(c.spare().evidence(), out);
      }
      case Change.SpareRemoved c -> out.putShort((short) c.spare());
      case Change.SpareStateChanged c -> {
        out.putShort((short) c.spare());
        out.put((byte) c.state().code());
      }
      case Change.SpareEvidenceRecorded c -> {
        out.putShort((short) c.spare());
        writeEvidence(c.evidence(), out);
      }
      case Change.MainRecorded c -> {
        writeUuid(c.main().mainId(), out);
        out.putLong(c.main().dataOffsetBytes());
        writeEvidence(c.main().evidence(), out);
      }
      case Change.FormChanged c -> out.put((byte) c.form().code());
      case Change.PolicySet c -> {
        writeString(c.name(), out);
        writeString(c.value(), out);
      }
      case Change.PolicyCleared c -> writeString(c.name(), out);
      case Change.CursorMoved c -> {
        writeString(c.name(), out);
        out.putLong(c.position());
      }
      case Change.ReplaceStarted c -> {
        out.putShort((short) c.replace().spare());
        writeUuid(c.replace().newDiskId(), out);
        out.putLong(c.replace().cursorBytes());
        writeEvidence(c.replace().newDisk(), out);
      }
      case Change.ReplaceMoved c -> out.putLong(c.cursorBytes());
      case Change.ReplaceEnded c -> {}
      case Change.EventRecorded c -> {
        out.putLong(c.event().timeMillis());
        out.putLong(c.event().block());
        writeString(c.event().kind(), out);
        writeString(c.event().text(), out);
      }
      case Change.CounterSet c -> {
        writeString(c.name(), out);
        out.putLong(c.value());
      }
      case Change.CleanMarked c -> {
        writeUuid(c.mark().hostId(), out);
        out.putLong(c.mark().headsHash());
        out.putLong(c.mark().timeMillis());
      }
      case Change.EpochRaised c -> {
        out.putLong(c.epoch().counter());
        out.putLong(c.epoch().startId());
        writeUuid(c.owner().hostId(), out);
        writeString(c.owner().hostName(), out);
      }
      case Change.CopiesPlaced c -> {
        out.putLong(c.placement().layout().checkpointBytes());
        out.putLong(c.placement().layout().logBytes());
        out.put((byte) c.placement().copies());
        for (CopyPlace place : c.placement().places()) {
          out.putShort((short) place.spare());
          out.putLong(place.offsetBytes());
        }
      }
      case Change.NameChanged c -> writeString(c.name(), out);
      case Change.Kept c -> out.put(c.body().bytes());
    }
  }

  /** Reads the next change at the buffer's position; the limit bounds it. */
  static Change read(ByteBuffer in) throws FormatException {
    in.order(ByteOrder.LITTLE_ENDIAN);
    if (in.remaining() < 4) {
      throw new FormatException("a change is cut off");
    }
    int kind = in.getShort() & 0xFFFF;
    int bodyBytes = in.getShort() & 0xFFFF;
    if (bodyBytes > in.remaining()) {
      throw new FormatException("a change of kind " + kind + " is cut off");
    }
    ByteBuffer body = in.slice(in.position(), bodyBytes).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + bodyBytes);
    Change change;
    try {
      change = readBody(kind, body);
    } catch (BufferUnderflowException e) {
      throw new FormatException("a change of kind " + kind + " is too short");
    } catch (IllegalArgumentException e) {
      throw new FormatException("a change of kind " + kind + " cannot be: " + e.getMessage());
    }
    if (body.hasRemaining()) {
      throw new FormatException("a change of kind " + kind + " is too long");
    }
    return change;
  }

  private static Change readBody(int kind, ByteBuffer in) throws FormatException {
    return switch (kind) {
      case REMAPPED -> {
        long blockAndSpare = in.getLong();
        yield new Change.Remapped(
            blockAndSpare & NUMBER_48_MAX,
            spareIndex((int) (blockAndSpare >>> 48)),
            number48(in.getLong(), "slot"),
            readBits(in));
      }
      case UNMAPPED -> new Change.Unmapped(number48(in.getLong(), "block"));
      case LOST_CHANGED -> new Change.LostChanged(number48(in.getLong(), "block"), readBits(in));
      case PENDING_SET -> new Change.PendingSet(number48(in.getLong(), "block"), readBits(in));
      case PENDING_CLEARED -> new Change.PendingCleared(number48(in.getLong(), "block"));
      case SLOT_RETIRED -> {
        long slotAndSpare = in.getLong();
        yield new Change.SlotRetired(
            spareIndex((int) (slotAndSpare >>> 48)), slotAndSpare & NUMBER_48_MAX);
      }
      case EXTENT_LENT -> {
        int spare = spareIndex(in.getShort() & 0xFFFF);
        ExtentKind extentKind = ExtentKind.of(in.get() & 0xFF);
        yield new Change.ExtentLent(new Extent(spare, in.getLong(), in.getLong(), extentKind));
      }
      case EXTENT_RETURNED -> {
        int spare = spareIndex(in.getShort() & 0xFFFF);
        Extent range = new Extent(spare, in.getLong(), in.getLong(), ExtentKind.DATA);
        yield new Change.ExtentReturned(spare, range.offsetBytes(), range.lengthBytes());
      }
      case SPARE_ADDED -> {
        int index = spareIndex(in.getShort() & 0xFFFF);
        SpareState state = SpareState.of(in.get() & 0xFF);
        UUID spareId = readUuid(in);
        yield new Change.SpareAdded(new SpareMember(index, spareId, readEvidence(in), state));
      }
      case SPARE_REMOVED -> new Change.SpareRemoved(spareIndex(in.getShort() & 0xFFFF));
      case SPARE_STATE_CHANGED ->
          new Change.SpareStateChanged(
              spareIndex(in.getShort() & 0xFFFF), SpareState.of(in.get() & 0xFF));
      case SPARE_EVIDENCE_RECORDED ->
          new Change.SpareEvidenceRecorded(spareIndex(in.getShort() & 0xFFFF), readEvidence(in));
      case MAIN_RECORDED -> {
        UUID mainId = readUuid(in);
        long dataOffsetBytes = notNegative(in.getLong(), "offset of data");
        yield new Change.MainRecorded(new MainMember(mainId, readEvidence(in), dataOffsetBytes));
      }
      case FORM_CHANGED -> new Change.FormChanged(Form.of(in.get() & 0xFF));
      case POLICY_SET -> new Change.PolicySet(readString(in), readString(in));
      case POLICY_CLEARED -> new Change.PolicyCleared(readString(in));
      case CURSOR_MOVED -> new Change.CursorMoved(readString(in), in.getLong());
      case REPLACE_STARTED -> {
        int spare = in.getShort() & 0xFFFF;
        if (spare != ReplaceState.MAIN) {
          spareIndex(spare);
        }
        UUID newDiskId = readUuid(in);
        long cursorBytes = notNegative(in.getLong(), "cursor");
        yield new Change.ReplaceStarted(
            new ReplaceState(spare, newDiskId, readEvidence(in), cursorBytes));
      }
      case REPLACE_MOVED -> new Change.ReplaceMoved(notNegative(in.getLong(), "cursor"));
      case REPLACE_ENDED -> new Change.ReplaceEnded();
      case EVENT_RECORDED -> {
        long timeMillis = in.getLong();
        long block = in.getLong();
        yield new Change.EventRecorded(
            new EventRecord(timeMillis, readString(in), block, readString(in)));
      }
      case COUNTER_SET -> new Change.CounterSet(readString(in), in.getLong());
      case CLEAN_MARKED ->
          new Change.CleanMarked(new CleanMark(readUuid(in), in.getLong(), in.getLong()));
      case EPOCH_RAISED -> {
        Epoch epoch = new Epoch(in.getLong(), in.getLong());
        yield new Change.EpochRaised(epoch, new Owner(readUuid(in), readString(in)));
      }
      case COPIES_PLACED -> {
        CopyLayout layout = new CopyLayout(in.getLong(), in.getLong());
        int copies = in.get() & 0xFF;
        if (copies > Placement.COPIES_MAX) {
          throw new FormatException("a placement of " + copies + " copies");
        }
        List<CopyPlace> places = new ArrayList<>(copies);
        for (int i = 0; i < copies; i++) {
          places.add(
              new CopyPlace(
                  i,
                  spareIndex(in.getShort() & 0xFFFF),
                  notNegative(in.getLong(), "offset of a copy")));
        }
        yield new Change.CopiesPlaced(new Placement(layout, places));
      }
      case NAME_CHANGED -> new Change.NameChanged(readString(in));
      default -> {
        if (kind < OPTIONAL_KINDS) {
          throw new FormatException(
              FormatException.Trouble.NEWER,
              "a change of kind "
                  + kind
                  + ", which this version does not know; use the version of spared that wrote it");
        }
        byte[] bytes = new byte[in.remaining()];
        in.get(bytes);
        yield new Change.Kept(kind, new OpaqueBytes(bytes));
      }
    };
  }

  private static void writeBlockAndSpare(long number, int spare, ByteBuffer out) {
    out.putLong(checked48(number, "number") | (long) spare << 48);
  }

  private static long checked48(long number, String what) {
    if (number < 0 || number > NUMBER_48_MAX) {
      throw new IllegalArgumentException(what + " " + number + " is out of range");
    }
    return number;
  }

  private static long number48(long number, String what) throws FormatException {
    if (number < 0 || number > NUMBER_48_MAX) {
      throw new FormatException(what + " " + number + " is out of range");
    }
    return number;
  }

  private static long notNegative(long number, String what) throws FormatException {
    if (number < 0) {
      throw new FormatException(what + " " + number + " is negative");
    }
    return number;
  }

  private static int spareIndex(int index) throws FormatException {
    if (index > SpareMember.INDEX_MAX) {
      throw new FormatException("spare " + index + " cannot be");
    }
    return index;
  }

  private static void writeBits(LostBits bits, ByteBuffer out) {
    out.putLong(bits.low());
    out.putLong(bits.high());
  }

  private static LostBits readBits(ByteBuffer in) {
    return new LostBits(in.getLong(), in.getLong());
  }

  private static void writeUuid(UUID uuid, ByteBuffer out) {
    out.putLong(uuid.getMostSignificantBits());
    out.putLong(uuid.getLeastSignificantBits());
  }

  private static UUID readUuid(ByteBuffer in) {
    return new UUID(in.getLong(), in.getLong());
  }

  /** Up to 255 bytes of UTF-8; a longer string is cut at a character. */
  private static void writeString(String string, ByteBuffer out) {
    ByteBuffer utf8 = ByteBuffer.allocate(STRING_BYTES_MAX);
    StandardCharsets.UTF_8
        .newEncoder()
        .onMalformedInput(CodingErrorAction.REPLACE)
        .onUnmappableCharacter(CodingErrorAction.REPLACE)
        .encode(CharBuffer.wrap(string), utf8, true);
    utf8.flip();
    out.put((byte) utf8.remaining());
    out.put(utf8);
  }

  private static String readString(ByteBuffer in) throws FormatException {
    int length = in.get() & 0xFF;
    if (length > in.remaining()) {
      throw new FormatException("a string is cut off");
    }
    ByteBuffer utf8 = in.slice(in.position(), length);
    in.position(in.position() + length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException("a string is not UTF-8");
    }
  }

  private static void writeOptional(Optional<String> string, ByteBuffer out) {
    out.put((byte) (string.isPresent() ? 1 : 0));
    string.ifPresent(present -> writeString(present, out));
  }

  private static Optional<String> readOptional(ByteBuffer in) throws FormatException {
    int present = in.get();
    if (present != 0 && present != 1) {
      throw new FormatException("a string is neither there nor absent");
    }
    return present == 1 ? Optional.of(readString(in)) : Optional.empty();
  }

  private static void writeEvidence(DiskEvidence evidence, ByteBuffer out) {
    int start = out.position();
    out.putLong(evidence.sizeBytes());
    out.putInt(evidence.logicalSectorBytes());
    DiskIdentity identity = evidence.identity();
    writeString(identity.kernelName(), out);
    writeOptional(identity.model(), out);
    writeOptional(identity.serial(), out);
    writeOptional(identity.wwn(), out);
    int countAt = out.position();
    out.put((byte) 0);
    int count = 0;
    for (String link : identity.links()) {
      if (count == LIST_MAX || out.position() - start > EVIDENCE_BYTES_SOFT_MAX / 2) {
        break;
      }
      writeString(link, out);
      count++;
    }
    out.put(countAt, (byte) count);
    countAt = out.position();
    out.put((byte) 0);
    count = 0;
    for (DiskIdentity.Content content : identity.contents()) {
      if (count == LIST_MAX || out.position() - start > EVIDENCE_BYTES_SOFT_MAX) {
        break;
      }
      writeString(content.kind(), out);
      writeOptional(content.uuid(), out);
      writeOptional(content.label(), out);
      out.putLong(content.endBytes());
      count++;
    }
    out.put(countAt, (byte) count);
  }

  private static DiskEvidence readEvidence(ByteBuffer in) throws FormatException {
    long sizeBytes = notNegative(in.getLong(), "size of a disk");
    int logicalSectorBytes = in.getInt();
    String kernelName = readString(in);
    Optional<String> model = readOptional(in);
    Optional<String> serial = readOptional(in);
    Optional<String> wwn = readOptional(in);
    int links = listLength(in);
    List<String> linkNames = new ArrayList<>(links);
    for (int i = 0; i < links; i++) {
      linkNames.add(readString(in));
    }
    int contents = listLength(in);
    List<DiskIdentity.Content> found = new ArrayList<>(contents);
    for (int i = 0; i < contents; i++) {
      found.add(
          new DiskIdentity.Content(
              readString(in), readOptional(in), readOptional(in), in.getLong()));
    }
    return new DiskEvidence(
        new DiskIdentity(
            kernelName, model, serial, wwn, List.copyOf(linkNames), List.copyOf(found)),
        sizeBytes,
        logicalSectorBytes);
  }

  private static int listLength(ByteBuffer in) throws FormatException {
    int length = in.get() & 0xFF;
    if (length > LIST_MAX) {
      throw new FormatException("a list of " + length);
    }
    return length;
  }
}

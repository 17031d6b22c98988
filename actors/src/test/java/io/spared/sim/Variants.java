package io.spared.sim;

import java.util.List;

/** The deliberately broken versions that the simulation must catch; each was a bug somewhere. */
final class Variants {
  private static final String FENCES = "actors/src/main/java/io/spared/queue/Fences.java";
  private static final String FLOW = "actors/src/main/java/io/spared/queue/RequestFlow.java";
  private static final String SUBMISSION = "actors/src/main/java/io/spared/queue/Submission.java";
  private static final String ENDS = "actors/src/main/java/io/spared/queue/PartEnds.java";
  private static final String ISOLATIONS = "actors/src/main/java/io/spared/queue/Isolations.java";
  private static final String CUT = "actors/src/main/java/io/spared/queue/Cut.java";
  private static final String DOUBTS = "actors/src/main/java/io/spared/queue/DeviceDoubts.java";
  private static final String RELOCATION =
      "actors/src/main/java/io/spared/relocation/Relocation.java";
  private static final String RELOCATOR =
      "actors/src/main/java/io/spared/relocation/Relocator.java";
  private static final String SLOTS = "actors/src/main/java/io/spared/remap/Slots.java";
  private static final String IMAGE = "actors/src/main/java/io/spared/format/DeviceImage.java";
  private static final String CHOICE = "actors/src/main/java/io/spared/format/CopyChoice.java";
  private static final String QUORUM = "actors/src/main/java/io/spared/metadata/QuorumRule.java";
  private static final String BUILD = "actors/src/main/java/io/spared/metadata/Build.java";
  private static final String COMMITS = "actors/src/main/java/io/spared/metadata/Commits.java";
  private static final String RULES = "actors/src/main/java/io/spared/metadata/WriterRules.java";
  private static final String AREA = "actors/src/main/java/io/spared/format/AreaBuilder.java";
  private static final String CHECKPOINTS =
      "actors/src/main/java/io/spared/format/Checkpoints.java";
  private static final String LOADER = "actors/src/main/java/io/spared/format/TableLoader.java";
  private static final String ASSEMBLY = "actors/src/main/java/io/spared/device/Assembly.java";
  private static final String SPARE = "actors/src/main/java/io/spared/spare/SpareDisk.java";
  private static final String MIRRORING = "actors/src/main/java/io/spared/queue/Mirroring.java";
  private static final String SWITCH_OVER = "actors/src/main/java/io/spared/device/SwitchOver.java";
  private static final String REQUEST = "ffi/src/main/java/io/spared/ffi/engine/IoRequest.java";

  private Variants() {}

  static final List<Variant> ALL =
      List.of(
          new Variant(
              "a write is acknowledged before its remap is committed",
              "queues",
              RELOCATION,
              "state = State.COMMITTING; List<Change> changes = new ArrayList<>();",
              "List<Owed> early = List.copyOf(round); round.clear();"
                  + " early.forEach(owed -> effects.answer(owed, null));"
                  + " state = State.COMMITTING; List<Change> changes = new ArrayList<>();"),
          new Variant(
                  "an indeterminate commit is taken for done",
                  "queues",
                  RELOCATION,
                  "state = State.INDETERMINATE; effects.refuse(Errno.EIO); answerAll(Errno.EIO);",
                  "state = State.INDETERMINATE; effects.refuse(Errno.EIO); answerAll(null);")
              .from(40_159),
          new Variant(
              "no fence: the relocator does not wait for writes in flight",
              "queues",
              FENCES,
              "if (!parts.isChanging(from, from + blockBytes)) {",
              "if (from >= 0) {"),
          new Variant(
              "a fenced block still takes writes",
              "queues",
              FLOW,
              "Fences.Entry fence = fences.within(from, cut.endBytes);",
              "Fences.Entry fence = fences.within(from, cut.endBytes);"
                  + " if (fence != null && fence.refuses == null) { fence = null; }"),
          new Variant(
                  "only the first block of a request is looked up",
                  "queues",
                  CUT,
                  "if (table.isClean(block, lastBlock)) {",
                  "if (!table.find(block, lookup)) {")
              .from(40_009),
          new Variant(
              "a remapped piece goes on into the next block",
              "queues",
              CUT,
              "endBytes = Math.min(toBytes, (block + 1) << blockShift);",
              "endBytes = toBytes;"),
          new Variant(
              "the offset within the block is forgotten in its slot",
              "queues",
              SUBMISSION,
              ": (Place.slot(place) << blockShift) + (offsetBytes & (blockBytes - 1));",
              ": (Place.slot(place) << blockShift);"),
          new Variant(
              "a slot is given twice",
              "queues",
              SLOTS,
              "occupy(place); withoutBlock.put(place, Without.HELD); held++; return place;",
              "withoutBlock.put(place, Without.HELD); held++; return place;"),
          new Variant(
              "slots in use are free again after a restart",
              "queues",
              SLOTS,
              "public void loadUsed(int spare, long slot) { occupy(Place.of(spare, slot)); }",
              "public void loadUsed(int spare, long slot) {}"),
          new Variant(
                  "lost bits are forgotten when a block moves again",
                  "queues",
                  RELOCATION,
                  "newLost = oldLost.plus(unreadable).minus(covered).minus(beyondDevice);",
                  "newLost = unreadable.minus(covered).minus(beyondDevice);")
              .from(40_004),
          new Variant(
              "unreadable sectors are gathered as zeros",
              "queues",
              RELOCATION,
              "newLost = oldLost.plus(unreadable).minus(covered).minus(beyondDevice);",
              "newLost = oldLost.minus(covered).minus(beyondDevice);"),
          new Variant(
              "lost bits are not restored",
              "queues",
              IMAGE,
              "entries.put(c.block(), c.spare(), c.slot(), c.lost().low(), c.lost().high());",
              "entries.put(c.block(), c.spare(), c.slot(), 0, 0);"),
          new Variant(
                  "remaps are not restored",
                  "queues",
                  IMAGE,
                  "public void apply(Position committed, List<Change> changes) {",
                  "public void apply(Position committed, List<Change> changes) {"
                      + " if (position.sequence() == 0 && committed.sequence() % 2 == 1) {"
                      + " position = committed; return; }")
              .from(40_034),
          new Variant(
              "a write over lost sectors leaves them lost",
              "queues",
              RELOCATION,
              "if (newLost.equals(oldLost)) {",
              "if (newLost.equals(oldLost) || !newLost.equals(oldLost)) {"),
          new Variant(
                  "the slot is not written durably",
                  "queues",
                  RELOCATOR,
                  "if (writes) { transfer.io.durable(); }",
                  "")
              .from(40_012),
          new Variant(
                  "a second write that joined is not in the moved block",
                  "queues",
                  RELOCATION,
                  "private void overlay(List<Owed> writes, byte[] onto) { for (Owed owed : writes) {",
                  "private void overlay(List<Owed> writes, byte[] onto) {"
                      + " for (Owed owed : writes.subList(0, Math.min(1, writes.size()))) {")
              .from(40_014),
          new Variant(
                  "late writes are answered with the round before them",
                  "queues",
                  RELOCATION,
                  "COMMITTING_LOST -> late.add(owed);",
                  "COMMITTING_LOST -> round.add(owed);")
              .from(40_016),
          new Variant(
              "FUA is not passed down",
              "queues",
              SUBMISSION,
              "if (request.fua && io.operation() == IoRequest.Operation.WRITE) {",
              "if (request.fua && io.operation() == IoRequest.Operation.FLUSH) {"),
          new Variant(
                  "flush is not passed down to main",
                  "queues",
                  FLOW,
                  "if (disk == DiskNumber.MAIN || context.table().isSpareInUse(disk)) {",
                  "if (disk != DiskNumber.MAIN && context.table().isSpareInUse(disk)) {")
              .from(40_003),
          new Variant(
                  "flush is not passed down to spares",
                  "queues",
                  FLOW,
                  "if (disk == DiskNumber.MAIN || context.table().isSpareInUse(disk)) {",
                  "if (disk == DiskNumber.MAIN) {")
              .from(40_012),
          new Variant(
                  "a failed flush is retried into success",
                  "queues",
                  DOUBTS,
                  "if (failedFlush == null) { failedFlush = errno; }",
                  "")
              .from(40_003),
          new Variant(
                  "a range in doubt takes writes",
                  "queues",
                  DOUBTS,
                  "Range[] now = ranges; if (now.length == 0) { return false; }",
                  "Range[] now = NO_RANGES; if (now.length == 0) { return false; }")
              .from(40_030),
          new Variant(
                  "doubt ends with the timeout, not with the kernel's word",
                  "queues",
                  ENDS,
                  "part.doubt = doubts.add(part.offsetBytes, part.lengthBytes);",
                  "part.doubt = doubts.add(part.offsetBytes, part.lengthBytes);"
                      + " doubts.remove(part.doubt);")
              .from(40_030),
          new Variant(
                  "a buffer is used again after a timeout",
                  "queues",
                  REQUEST,
                  "outcome = timedOutOrCancelled; held = true;",
                  "outcome = timedOutOrCancelled; held = true;"
                      + " if (buffer != null) { buffer.release(); buffer = null; }")
              .from(40_020),
          new Variant(
                  "a request is used again while the kernel holds it",
                  "queues",
                  ENDS,
                  "if (comesBack(part, outcome)) { // Entered",
                  "if (comesBack(part, outcome) && part.offsetBytes < 0) { // Entered")
              .from(40_009),
          new Variant(
              "sectors that stay unreadable are returned as read",
              "queues",
              ISOLATIONS,
              "if (isolation.failed(toBeProved)) {"
                  + " request.fail(Errno.EIO, from, isolation.cursorBytes() - from); }",
              "isolation.failed(toBeProved);"),
          new Variant(
              "a lost sector is read from its slot",
              "queues",
              CUT,
              "treatment = lost ? Treatment.ERROR : Treatment.TRANSFER;",
              "treatment = Treatment.TRANSFER;"),
          new Variant(
              "a fence is not lifted after a failure",
              "queues",
              RELOCATION,
              "private void lift() { if (fenced) {",
              "private void lift() { if (fenced && slotsFailed == 0) {"),
          new Variant(
                  "a failed move forgets to give its writes an answer",
                  "queues",
                  RELOCATION,
                  "private void fail(Errno errno, String reason) {",
                  "private void fail(Errno errno, String reason) { round.clear();")
              .from(40_016),
          new Variant(
              "the oldest copy is chosen",
              "writer",
              CHOICE,
              "return areas.stream() .max(",
              "return areas.stream().min("),
          new Variant(
                  "a quorum of two",
                  "copies",
                  QUORUM,
                  "if (holding < placement.majority()) {",
                  "if (holding < 2) {")
              .from(40_016),
          new Variant(
                  "a checkpoint is based on a record of which only a part is applied",
                  "copies",
                  COMMITS,
                  "--left == 0 ? done.payload.position() : before;",
                  "--left < 0 ? before : done.payload.position();")
              .from(40_012),
          new Variant(
                  "a commit is acknowledged before any quorum",
                  "copies",
                  QUORUM,
                  "if (holding < placement.majority()) {",
                  "if (holding < 1) {")
              .from(40_016),
          new Variant(
                  "a checkpoint is sealed before its log has caught up",
                  "copies",
                  BUILD,
                  "log = LogAppender.empty(copy.superblock, made); catchUp();",
                  "log = LogAppender.empty(copy.superblock, made);"
                      + " if (repair) { catchUp(); } else { writeSeal(); }")
              .from(40_170),
          new Variant(
                  "a checkpoint is written over the area in use",
                  "copies",
                  BUILD,
                  "inspect(); } else { wipeAside(); } }",
                  "inspect(); } else { area = copy.activeArea(); wipe(); } }")
              .from(40_001),
          new Variant(
                  "a repair is made from an older state than it says",
                  "copies",
                  AREA,
                  "generation, buildId, base, atBytes - startBytes,",
                  "generation, buildId, image.position(), atBytes - startBytes,")
              .from(40_005),
          // What the load says wrong, the first commit would notice: that is broken too.
          new Variant(
                  "a stale copy counts as one in step",
                  "copies",
                  "actors/src/main/java/io/spared/metadata/Copies.java",
                  "} else if (!best.get().tail().equals(committed)) {",
                  "} else if (best.get().tail().compareTo(committed) > 0) {")
              .and(
                  "actors/src/main/java/io/spared/metadata/Appends.java",
                  "Payload next = history.retained().get(log.last().sequence() + 1);",
                  "Payload own = history.retained().get(log.last().sequence() + 1);"
                      + " Payload next ="
                      + " own == null ? history.retained().get(history.lastSequence()) : own;"),
          new Variant(
                  "a minority of copies is believed to be the newest",
                  "copies",
                  CHOICE,
                  "if (known >= placement.majority()) {",
                  "if (known >= 1) {")
              .from(40_002),
          new Variant(
                  "the table of a checkpoint is not restored",
                  "copies",
                  CHECKPOINTS,
                  "for (int i = 0; i < chunk.count(); i++, p += entryBytes) {",
                  "for (int i = 0; i < 0; i++, p += entryBytes) {")
              .from(40_000),
          new Variant(
                  "lost bits are forgotten by checkpoints",
                  "copies",
                  CHECKPOINTS,
                  "bytes.putLong(slot | walk.lostLow() << 48);",
                  "bytes.putLong(slot);")
              .from(40_000),
          new Variant(
                  "a table that cannot be loaded is taken for empty",
                  "copies",
                  LOADER,
                  "} catch (FormatException e) { fail(e.sentence()); }",
                  "} catch (FormatException e) { try {"
                      + " image = CopyReader.imageOf("
                      + "superblock, area.seal(), headerChanges, entries);"
                      + " image.apply(area.tail(), headerChanges); done = true; }"
                      + " catch (FormatException worse) { fail(e.sentence()); } }")
              .from(40_000),
          new Variant(
              "the next epoch may be that of a start that was never durable",
              "copies",
              "actors/src/main/java/io/spared/format/CopyVerdict.java",
              "return new Epoch(highest + 1, startId);",
              "return new Epoch(position.orElseThrow().epoch().counter() + 1, startId);"),
          new Variant(
                  "the epoch of a copy is not checked before it is repaired",
                  "copies",
                  RULES,
                  "if (newer > 0 || (newer == 0 && there.startId() != own.startId())) {",
                  "if (newer > 0 && newer < 0) {")
              .from(40_000),
          new Variant(
              "a spare that has left is missed by the next flush",
              "daemon",
              "actors/src/main/java/io/spared/device/Serving.java",
              "doubts.left(index);",
              ""),
          new Variant(
                  "two activations: disks are opened without a claim",
                  "daemon",
                  ASSEMBLY,
                  "Disk disk = opener.open(address, DiskOpener.Mode.OWN);",
                  "Disk disk = opener.open(address, DiskOpener.Mode.READ);")
              .and(
                  SPARE,
                  "Disk disk = parts.opener().open(address, DiskOpener.Mode.OWN);",
                  "Disk disk = parts.opener().open(address, DiskOpener.Mode.READ);")
              .from(40_020),
          new Variant(
                  "another disk in main's place is taken for main",
                  "daemon",
                  "actors/src/main/java/io/spared/device/MainEvidence.java",
                  "return known.isPresent() && now.isPresent() && !known.get().equals(now.get())",
                  "return known.isPresent() && now.isEmpty()")
              .from(40_002),
          new Variant(
                  "a relocator that is stopped keeps its buffers",
                  "daemon",
                  RELOCATOR,
                  ".onSignal(PostStop.class, signal -> stopped())",
                  ".onSignal(PostStop.class, signal -> this)")
              .from(40_027),
          new Variant(
                  "while main is replaced a write below the cursor goes to main alone",
                  "replacing",
                  MIRRORING,
                  "return port == null ? Verdict.MAIN_ONLY : Verdict.BOTH;",
                  "return Verdict.MAIN_ONLY;")
              .from(40_005),
          new Variant(
                  "while main is replaced nothing waits for the copier's window",
                  "replacing",
                  MIRRORING,
                  "return Verdict.IN_WINDOW;",
                  "return port == null ? Verdict.MAIN_ONLY : Verdict.BOTH;")
              .from(41_015),
          new Variant(
                  "what a crash left on one disk only is not copied again",
                  "replacing",
                  "actors/src/main/java/io/spared/replacement/Copier.java",
                  "if (intents.isDurable(region)) {",
                  "if (intents.isDurable(region) && region < 0) {")
              .from(40_118),
          new Variant(
              "main is switched to a disk that was not flushed",
              "replacing",
              SWITCH_OVER,
              "flushed = false; if (serving.flushOnceFrozen(() -> flushed = true)) {",
              "flushed = serving.queues().allFrozen(); if (flushed) {"),
          new Variant(
              "main is switched to a disk that failed a write",
              "replacing",
              "actors/src/main/java/io/spared/device/Replacement.java",
              "giveUp(\"a write to it failed: \" + failed.errno().meaning());",
              ""),
          new Variant(
                  "main that went away with writes that were not flushed returns, and the next flush"
                      + " succeeds",
                  "daemon",
                  "actors/src/main/java/io/spared/device/AwayMain.java",
                  "if (isUnflushed()) { serving.doubts().flushFailed(Errno.ENODEV); }",
                  "")
              .and(
                  "actors/src/main/java/io/spared/device/AwayMain.java",
                  "if (isUnflushed()) { return disk.address()",
                  "if (judged && resting) { return disk.address()")
              .and(ENDS, "mainWentAway(errno);", ""),
          new Variant(
                  "troubles raise no alert",
                  "daemon",
                  "actors/src/main/java/io/spared/device/DeviceActor.java",
                  "if (!sentence.equals(before.troubles().get(trouble))) {",
                  "if (sentence.isEmpty()) {")
              .from(40_005));
}

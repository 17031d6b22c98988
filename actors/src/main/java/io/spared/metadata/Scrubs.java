package io.spared.metadata;

import io.spared.metadata.MetadataReply.CopyReason;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The scrub that is wanted or under way, and those who asked for it: one for all of them. */
final class Scrubs implements Scrub.Owner {
  private final WriterContext context;
  private final Lanes lanes;
  private final Copies copies;
  private final CopyFaults faults;
  private final BiConsumer<Copy, String> fence;
  private final List<Consumer<MetadataReply>> answers = new ArrayList<>();
  private @Nullable Scrub scrub;
  private boolean wanted;
  private long done;
  private long lastMillis;

  Scrubs(
      WriterContext context,
      Lanes lanes,
      Copies copies,
      CopyFaults faults,
      BiConsumer<Copy, String> fence) {
    this.context = context;
    this.lanes = lanes;
    this.copies = copies;
    this.faults = faults;
    this.fence = fence;
  }

  void ask(Consumer<MetadataReply> answer) {
    answers.add(answer);
    wanted = scrub == null;
  }

  boolean isRunning() {
    return scrub != null;
  }

  void beginIfWanted() {
    if (wanted) {
      wanted = false;
      Scrub made = new Scrub(context, lanes, faults, this, copies.all());
      scrub = made;
      made.begin();
    }
  }

  /** Also one that has not begun. */
  void cancel() {
    wanted = false;
    cancelRunning();
    answer(new MetadataReply.Scrubbed(false, 0, List.of()));
  }

  void cancelRunning() {
    Scrub running = scrub;
    if (running != null) {
      running.cancel();
      scrub = null;
      answer(new MetadataReply.Scrubbed(false, 0, List.of()));
    }
  }

  @Override
  public void scrubDone(int verified, List<CopyReason> damaged) {
    scrub = null;
    done++;
    lastMillis = context.world().clock().now().toEpochMilli();
    answer(new MetadataReply.Scrubbed(true, verified, damaged));
  }

  @Override
  public void fence(Copy copy, String sentence) {
    fence.accept(copy, sentence);
  }

  private void answer(MetadataReply reply) {
    List<Consumer<MetadataReply>> asked = List.copyOf(answers);
    answers.clear();
    asked.forEach(answer -> answer.accept(reply));
  }

  double progress() {
    Scrub running = scrub;
    return running == null ? 0 : running.progress();
  }

  long done() {
    return done;
  }

  long lastMillis() {
    return lastMillis;
  }
}

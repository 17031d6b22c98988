package io.spared.device;

import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.monitor.Event;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * Ranges on their way back to the spares that lent them.
 *
 * <p>Invariant: a range goes back only when the commit that forgets it is durable and nothing that
 * may still touch it is unfinished (invariant 11): a place of a copy after the writer has left it,
 * slots when all readers of the map are past them. A spare that leaves is closed after it has
 * answered for every range. What a crash cuts short is lent and unknown to the image, and goes back
 * at the next assembling.
 */
final class ReturnedRanges {
  private final Run run;
  private final Serving serving;
  private final DeviceImage image;
  private final ActorRef<SpareReply> stayingInbox;
  private final ActorRef<SpareReply> leavingInbox;

  /** Places of copies that nothing touches any more, until the image forgets them. */
  private final Set<Extent> placesLeft = new LinkedHashSet<>();

  /** Spares that are closed once they have answered so often that a range is back. */
  private final Map<UUID, Integer> closing = new TreeMap<>();

  /**
   * @param stayingInbox where spares that stay answer
   */
  ReturnedRanges(Run run, Serving serving, ActorRef<SpareReply> stayingInbox) {
    this.run = run;
    this.serving = serving;
    this.image = serving.image();
    this.stayingInbox = stayingInbox;
    this.leavingInbox =
        run.inbox(
            SpareReply.class,
            "spares-leaving",
            reply -> new DeviceNews.LeavingSpare(run.number, reply));
  }

  /**
   * After assembling: what was lent and is not known goes back, and so do places without a copy.
   */
  void resume() {
    serving
        .spares()
        .forEach((index, spare) ->
            LostRanges.of(image.deviceId(), spare.lent(), image.extents(index))
                .forEach(range -> takeBack(spare.spareId(), range, stayingInbox)));
    for (Extent extent : image.extents()) {
      if (extent.kind() == ExtentKind.METADATA) {
        placesLeft.add(extent);
      }
    }
    returnPlaces();
  }

  /** A disk that is not a spare of the device (any more) gets all back. */
  void giveBackAll(SpareReply.Attached stranger) {
    giveBackAndClose(stranger, LostRanges.of(image.deviceId(), stranger.lent(), List.of()));
  }

  void giveBackAndClose(SpareReply.Attached spare, List<Extent> ranges) {
    if (ranges.isEmpty()) {
      run.usesNoMore(spare.spareId());
      return;
    }
    closing.merge(spare.spareId(), ranges.size(), Integer::sum);
    ranges.forEach(range -> takeBack(spare.spareId(), range, leavingInbox));
  }

  private void takeBack(UUID spareId, Extent range, ActorRef<SpareReply> inbox) {
    run.parts
        .spares()
        .tell(
            new SpareCommand.TakeBack(
                spareId, image.deviceId(), range.offsetBytes(), range.lengthBytes(), inbox));
  }

  /** A spare that has left has a range back, or could not be told. */
  void onLeaving(SpareReply reply) {
    switch (reply) {
      case SpareReply.TakenBack taken -> rangeIsBack(taken.spareId());
      case SpareReply.NotTakenBack not -> {
        serving.happened(
            Event.Severity.WARNING,
            "spare.not-told",
            not.sentence() + "; its table still says that it is lent, wipe it before other use");
        rangeIsBack(not.spareId());
      }
      default -> {}
    }
  }

  private void rangeIsBack(UUID spareId) {
    Integer left = closing.get(spareId);
    if (left == null) {
      return;
    }
    if (left > 1) {
      closing.put(spareId, left - 1);
    } else {
      closing.remove(spareId);
      run.usesNoMore(spareId);
    }
  }

  /** The writer touches this place no more. */
  void placeLeft(int spare, long offsetBytes) {
    for (Extent extent : image.extents(spare)) {
      if (extent.offsetBytes() == offsetBytes && extent.kind() == ExtentKind.METADATA) {
        placesLeft.add(extent);
      }
    }
    returnPlaces();
  }

  /** Forgets the places that no copy has any more; their spares get them once that is durable. */
  void returnPlaces() {
    for (Extent place : List.copyOf(placesLeft)) {
      boolean used =
          image.placement().stream()
              .anyMatch(now -> now.at(place.spare(), place.offsetBytes()).isPresent());
      if (!used) {
        placesLeft.remove(place);
        serving
            .commits()
            .ask(
                List.of(
                    new Change.ExtentReturned(
                        place.spare(), place.offsetBytes(), place.lengthBytes())),
                new Commits.Purpose.Returning(place),
                run.nowNanos());
      }
    }
  }

  /** The image has forgotten the range, durably. */
  void returned(Extent range) {
    SpareReply.Attached spare = serving.spares().get(range.spare());
    if (spare != null) {
      takeBack(spare.spareId(), range, stayingInbox);
    }
  }

  /** The device ends: what has not answered yet goes back at its next assembling. */
  void giveUp() {
    List.copyOf(closing.keySet()).forEach(run::usesNoMore);
    closing.clear();
  }
}

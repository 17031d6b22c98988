package io.spared.nbd;

import io.spared.nbd.NbdRig.Export;
import io.spared.nbd.negotiation.Answer;
import io.spared.nbd.negotiation.ExportDescription;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Whoever knows the devices, in a rig: answers as devices would whose every block is on main, but
 * for those that a test puts into their tables.
 */
final class RigOwner {
  private final List<Export> exports;
  private final Consumer<NbdRequest> reports;
  private int queues;

  private RigOwner(List<Export> exports, Consumer<NbdRequest> reports) {
    this.exports = List.copyOf(exports);
    this.reports = reports;
  }

  static Behavior<NbdRequest> create(List<Export> exports, Consumer<NbdRequest> reports) {
    return Behaviors.setup(_ -> {
      RigOwner owner = new RigOwner(exports, reports);
      return Behaviors.receiveMessage(request -> {
        owner.take(request);
        return Behaviors.same();
      });
    });
  }

  private void take(NbdRequest request) {
    switch (request) {
      case NbdRequest.ListExports list ->
          list.replyTo()
              .tell(
                  new Answer.Names(
                      exports.stream()
                          .map(e -> new Answer.Name(e.name(), "a disk of the rig"))
                          .toList()));
      case NbdRequest.FindExport find -> find.replyTo().tell(find(find));
      case NbdRequest.OpenQueue open -> open.replyTo().tell(open(open));
      default -> reports.accept(request);
    }
  }

  private Optional<Export> export(String name) {
    return exports.stream()
        .filter(e -> name.isEmpty() ? e.equals(exports.getFirst()) : e.name().equals(name))
        .findFirst();
  }

  private Answer find(NbdRequest.FindExport find) {
    Optional<Export> found = export(find.name());
    if (found.isEmpty()) {
      return new Answer.Refused(
          Answer.Refusal.UNKNOWN, "there is no export \"" + find.name() + "\" here");
    }
    Export export = found.get();
    return new Answer.Found(
        new ExportDescription(
            export.name(),
            "a disk of the rig",
            export.disk().geometry().sizeBytes(),
            export.disk().geometry().logicalSectorBytes(),
            4096,
            export.readOnly(),
            false,
            true,
            true));
  }

  private NbdRequest.QueueAnswer open(NbdRequest.OpenQueue open) {
    Export export = export(open.name()).orElseThrow();
    ActorRef<QueueCommand> queue = open.queue();
    return new NbdRequest.QueueAnswer.Opened(
        new QueueContext(
            ++queues,
            Export.geometry(export.disk()),
            export.table(),
            export.disk(),
            Map.of(),
            QueuePolicy.DEFAULT,
            new DeviceDoubts(),
            report -> onReport(queue, report)));
  }

  private static void onReport(ActorRef<QueueCommand> queue, QueueReport report) {
    switch (report) {
      case QueueReport.Opened _ -> queue.tell(new QueueCommand.Begin(List.of()));
      case QueueReport.DiskDoubted doubted ->
          queue.tell(new QueueCommand.DiskProof(doubted.disk(), true));
      default -> {}
    }
  }
}

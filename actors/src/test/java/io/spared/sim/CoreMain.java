package io.spared.sim;
import io.spared.relocation.*; import io.spared.queue.*; import io.spared.ffi.Errno;
import org.apache.pekko.actor.typed.*; import org.apache.pekko.actor.typed.javadsl.*;
import java.util.*;
/** dev */
final class CoreMain {
  public static void main(String[] a) throws Exception {
    long seed=Long.parseLong(a[0]); int n=Integer.parseInt(a[1]); int lines=a.length>2?Integer.parseInt(a[2]):0;
    var o=new CoreRun.Options(new SimScript.Menu(true,false,true,false), 1500, CoreMain::relocator);
    long t=System.nanoTime(); long ios=0,req=0,sim=0; int lives=0; Coverage c=new Coverage(); int bad=0;
    for(long s=seed;s<seed+n;s++){ var r=CoreRun.run(s,o,null,lines); ios+=r.diskRequests(); req+=r.clientRequests(); sim+=r.simulatedNanos(); lives+=r.lives(); c.addAll(r.coverage());
      if(r.violation()!=null){ bad++; System.out.println("seed "+s+": "+r.violation()); if(lines>0) r.lastLines().forEach(System.out::println); if(bad>8) break; } }
    double sec=(System.nanoTime()-t)/1e9; System.out.printf("%d runs %d lives %.1fs %.1f runs/s %.0f io/s %.0f req/s sim %.0fs bad %d%n",n,lives,sec,n/sec,ios/sec,req/sec,sim/1e9,bad);
    c.counts().forEach((k,v)->System.out.println("  "+k+" "+v));
  }
  static Behavior<RelocatorCommand> relocator(SimEngine e, io.spared.format.DeviceImage i, io.spared.remap.RemapTable t, io.spared.ffi.disk.Disk m, Map<Integer,io.spared.ffi.disk.Disk> sp, DeviceDoubts d, ActorRef<RelocatorRequest> owner){
    Map<Integer,ActorRef<QueueCommand>> q=new HashMap<>();
    return Behaviors.receive(RelocatorCommand.class).onAnyMessage(c->{ switch(c){ 
      case RelocatorCommand.QueueOpened x->{ q.put(x.queueId(),x.queue()); x.queue().tell(new QueueCommand.Begin(List.of())); }
      case RelocatorCommand.FromQueue f-> { if(f.report() instanceof QueueReport.WriteWaits w) q.get(w.queueId()).tell(new QueueCommand.Relocated(w.write().ticket(), Errno.EIO)); }
      case RelocatorCommand.Drain x-> owner.tell(new RelocatorRequest.Drained());
      default->{} } return Behaviors.same(); }).build(); }
}

package io.spared.nbd.transmission;

import java.util.ArrayList;
import java.util.List;

/**
 * The bytes of buffers that a listener's connections on one ring may hold together. Each connection
 * has an equal share that others cannot take from it in the long run: nobody takes beyond an equal
 * share of the whole, so a client that reads nothing and so gives nothing back holds only its own.
 * Used on the ring's thread.
 */
public final class RingBudget {
  private final long totalBytes;
  private final List<Member> members = new ArrayList<>();
  private long heldBytes;

  public RingBudget(long totalBytes) {
    this.totalBytes = totalBytes;
  }

  /** One connection's part. */
  public final class Member {
    private final long limitBytes;
    private final Runnable wake;
    private long memberBytes;
    private boolean waiting;
    private boolean left;

    private Member(long limitBytes, Runnable wake) {
      this.limitBytes = limitBytes;
      this.wake = wake;
    }

    /**
     * Takes so many bytes if they may be taken; else remembers to call wake once something was
     * given back. A member that holds nothing may always take what its share covers.
     */
    public boolean take(int bytes) {
      boolean first = memberBytes == 0;
      if (!first && !hasRoom(bytes)) {
        waiting = true;
        return false;
      }
      memberBytes += bytes;
      heldBytes += bytes;
      return true;
    }

    /** Whether so many bytes may be taken now by the rules for those who hold something. */
    public boolean hasRoom(int bytes) {
      long shareBytes = Math.min(limitBytes, totalBytes / members.size());
      return memberBytes + bytes <= shareBytes && heldBytes + bytes <= totalBytes;
    }

    public void give(int bytes) {
      memberBytes -= bytes;
      heldBytes -= bytes;
      if (memberBytes < 0) {
        throw new IllegalStateException("more was given back than taken");
      }
      wakeWaiting();
    }

    public long heldBytes() {
      return memberBytes;
    }

    /** Not counted any more; what it still holds stays counted until it is given back. */
    public void leave() {
      if (!left) {
        left = true;
        members.remove(this);
        wakeWaiting();
      }
    }
  }

  public Member join(long limitBytes, Runnable wake) {
    Member member = new Member(limitBytes, wake);
    members.add(member);
    return member;
  }

  public long heldBytes() {
    return heldBytes;
  }

  private void wakeWaiting() {
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.waiting) {
        member.waiting = false;
        member.wake.run();
      }
    }
  }
}

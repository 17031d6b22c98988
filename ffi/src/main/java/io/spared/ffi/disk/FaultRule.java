package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest.Operation;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * One fault to inject.
 *
 * @param operations to which operations it applies
 * @param fromBytes the first byte of the range it lies on; a request is hit when it touches it
 * @param untilBytes the first byte behind the range
 * @param effect what happens
 * @param rate the share of hit requests that it happens to, above 0 and up to 1
 * @param skip how many of those are spared first
 * @param times to how many it happens then; {@link #ALWAYS} for no end
 */
public record FaultRule(
    Set<Operation> operations,
    long fromBytes,
    long untilBytes,
    Effect effect,
    double rate,
    long skip,
    long times) {

  public static final long ALWAYS = Long.MAX_VALUE;

  private static final Set<Operation> POSSIBLE =
      EnumSet.of(
          Operation.READ,
          Operation.WRITE,
          Operation.FLUSH,
          Operation.DISCARD,
          Operation.WRITE_ZEROES);

  /** What happens to a request. */
  public sealed interface Effect {
    /** It fails. */
    record Fail(Errno errno) implements Effect {}

    /** Reads fail until the range is written, as with a latent bad sector; writes heal it. */
    record FailUntilWritten(Errno errno) implements Effect {}

    /** It is carried out later. */
    record Delay(Duration time) implements Effect {}

    /** It is not carried out and does not end until the plan releases it. */
    record Hang() implements Effect {}

    /** A write moves only its first bytes, a whole number of sectors, and fails. */
    record Tear(int bytes, Errno errno) implements Effect {}
  }

  public FaultRule {
    operations = Set.copyOf(operations);
    if (operations.isEmpty() || !POSSIBLE.containsAll(operations)) {
      throw new IllegalArgumentException("a fault applies to some of " + POSSIBLE);
    }
    if (fromBytes < 0 || untilBytes <= fromBytes) {
      throw new IllegalArgumentException(
          "the range of a fault is empty: from " + fromBytes + " until " + untilBytes);
    }
    if (!(rate > 0 && rate <= 1)) {
      throw new IllegalArgumentException("the rate is " + rate + " but must be in (0, 1]");
    }
    if (skip < 0 || times < 1) {
      throw new IllegalArgumentException("skip must be 0 or more, times 1 or more");
    }
  }

  /** For these operations, everywhere and always. */
  public static FaultRule of(Effect effect, Operation first, Operation... more) {
    return new FaultRule(EnumSet.of(first, more), 0, ALWAYS, effect, 1, 0, ALWAYS);
  }

  /** Every operation, everywhere and always. */
  public static FaultRule ofAll(Effect effect) {
    return new FaultRule(POSSIBLE, 0, ALWAYS, effect, 1, 0, ALWAYS);
  }

  /** A latent bad range: reads fail with a medium error until it is written. */
  public static FaultRule badRange(long fromBytes, long lengthBytes) {
    return of(new Effect.FailUntilWritten(Errno.ENODATA), Operation.READ)
        .on(fromBytes, lengthBytes);
  }

  /** The same fault on this range only. */
  public FaultRule on(long fromBytes, long lengthBytes) {
    return new FaultRule(operations, fromBytes, fromBytes + lengthBytes, effect, rate, skip, times);
  }

  public FaultRule atRate(double newRate) {
    return new FaultRule(operations, fromBytes, untilBytes, effect, newRate, skip, times);
  }

  /** After so many hits, and so many times. */
  public FaultRule trigger(long newSkip, long newTimes) {
    return new FaultRule(operations, fromBytes, untilBytes, effect, rate, newSkip, newTimes);
  }

  /**
   * A fault in words: operations, then what, then options. For example {@code read fail=ENODATA
   * range=1M+4K times=3}, {@code read until-written=EIO range=0+64K}, {@code write,flush
   * delay=200ms rate=0.1}, {@code any hang}, {@code write tear=512}.
   *
   * @throws IllegalArgumentException with a sentence that says what is wrong and what to write
   */
  public static FaultRule parse(String text) {
    return FaultRuleParser.parse(text);
  }

  static Set<Operation> possible() {
    return POSSIBLE;
  }

  /** For people. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    if (operations.equals(POSSIBLE)) {
      text.append("any");
    } else {
      for (Operation operation : POSSIBLE) {
        if (operations.contains(operation)) {
          text.append(text.isEmpty() ? "" : ",")
              .append(operation.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        }
      }
    }
    text.append(' ')
        .append(
            switch (effect) {
              case Effect.Fail fail -> "fail=" + fail.errno();
              case Effect.FailUntilWritten fail -> "until-written=" + fail.errno();
              case Effect.Delay delay -> "delay=" + delay.time().toMillis() + "ms";
              case Effect.Hang hang -> "hang";
              case Effect.Tear tear -> "tear=" + tear.bytes() + ":" + tear.errno();
            });
    if (untilBytes != ALWAYS) {
      text.append(" range=").append(fromBytes).append('+').append(untilBytes - fromBytes);
    }
    if (rate != 1) {
      text.append(" rate=").append(rate);
    }
    if (skip != 0) {
      text.append(" skip=").append(skip);
    }
    if (times != ALWAYS) {
      text.append(" times=").append(times);
    }
    return text.toString();
  }
}

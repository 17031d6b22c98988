package io.spared.queue;

/**
 * The part of a write that falls on one block and cannot be done before the block is moved, or its
 * lost bits are cleared. It is not in flight: its data is here.
 *
 * @param ticket the queue's own number, given back with the answer
 * @param firstSector of the block
 * @param bytes whole sectors; a copy, since relocations are rare
 * @param failedPlace the {@link io.spared.remap.Place} that refused it, or NONE when it was not
 *     tried (the block is pending, or sectors that it covers are lost)
 */
// An array is what the bytes are; records of this kind are never compared.
@SuppressWarnings("ArrayRecordComponent")
public record WaitingWrite(
    long ticket, long block, int firstSector, byte[] bytes, long failedPlace) {}

package io.spared.nbd.transmission;

import io.spared.ffi.engine.IoBuffer;

/**
 * A connection's own buffers, given from the negotiation to the session, which releases them.
 *
 * @param inputStart where what the client sent behind the negotiation begins
 * @param inputEnd and where it ends
 */
public record SessionBuffers(
    IoBuffer input, int inputStart, int inputEnd, IoBuffer output, IoBuffer otherOutput) {}

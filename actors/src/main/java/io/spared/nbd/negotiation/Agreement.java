package io.spared.nbd.negotiation;

/**
 * What client and server agreed on, for the rest of the connection.
 *
 * @param allocationContext whether block status may be asked for base:allocation
 * @param remapContext whether block status may be asked for spared:remap
 */
public record Agreement(
    ExportDescription export,
    boolean structuredReplies,
    boolean extendedHeaders,
    boolean allocationContext,
    boolean remapContext) {

  public boolean anyContext() {
    return allocationContext || remapContext;
  }
}

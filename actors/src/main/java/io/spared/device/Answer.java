package io.spared.device;

/** What a command came to, told in bounded time: one sentence either way. */
public sealed interface Answer {
  String sentence();

  /** It was done, or begun where the command says so. */
  record Done(String sentence) implements Answer {}

  /** Nothing changed, and why. */
  record Refused(String sentence) implements Answer {}

  /** Its commit did not reach its quorum: it is done, or void, once copies are back. */
  record InDoubt(String sentence) implements Answer {}
}

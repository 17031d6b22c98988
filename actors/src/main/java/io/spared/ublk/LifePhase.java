package io.spared.ublk;

/** Where a ublk device's life with its driver stands: named after what is waited for. */
enum LifePhase {
  FEATURES("asked for its features"),
  FINDING("asked for the device that was left"),
  REMOVING_DEAD("removing a dead device"),
  ADDING("adding the device"),
  SETTING("setting its parameters"),
  CLAIMING(
      "taking the device back, which it refuses while the dead daemon's requests are in the"
          + " kernel"),
  READING("reading its parameters"),
  OPENING("opening its character device, which somebody else has open"),
  FETCHING("its queues had not fetched"),
  STARTING("starting the device"),
  SERVING(""),
  QUIESCING(""),
  WRITING_BACK(""),
  STOPPING(""),
  CLOSING(""),
  DELETING(""),
  ENDED("");

  private final String waitingFor;

  LifePhase(String waitingFor) {
    this.waitingFor = waitingFor;
  }

  /** Not served yet, and on the way there. */
  boolean isStarting() {
    return !waitingFor.isEmpty();
  }

  /** What a start that took too long was at, for a sentence. */
  String waitingFor() {
    return waitingFor;
  }
}

package io.spared.ublk;

/** What a frontend asks the driver, in the words of its header. */
enum Command {
  GET_FEATURES,
  GET_DEV_INFO,
  ADD_DEV,
  SET_PARAMS,
  GET_PARAMS,
  START_DEV,
  START_USER_RECOVERY,
  END_USER_RECOVERY,
  QUIESCE_DEV,
  STOP_DEV,
  TRY_STOP_DEV,
  DEL_DEV,
  DEL_DEV_ASYNC
}

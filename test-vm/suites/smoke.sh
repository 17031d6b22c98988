# about: the guest boots, has a JDK, loads the ublk driver and sets the I/O-flusher flag
# limit: 90
# sets: ci all

case_the_jdk_runs() {
  java -version 2>&1 | grep -q '"25' || fail "no JDK 25 in the guest"
}

case_the_ublk_driver_loads() {
  modprobe ublk_drv
  eventually 5 test -c /dev/ublk-control
  note "kernel $(uname -r)"
}

case_every_thread_of_a_jvm_has_the_flusher_flag_that_was_set_before_it_started() {
  perl /payload/with-flusher "${jvm[@]}" io.spared.ffi.system.FlusherThreads > threads || { cat threads; fail "threads without it"; }
  note "$(wc -l < threads) threads"
  refuses 'flusher=false' "${jvm[@]}" io.spared.ffi.system.FlusherThreads
}

# about: the guest boots, has a JDK and loads the ublk driver
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

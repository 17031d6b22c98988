# What suites share. A case fails at its first failing command.

. /payload/guest/checks.sh

# A RAM-backed loop device of so many MiB that speaks direct I/O; prints its path.
ram_disk() {
  local file; file=$(mktemp /dev/shm/disk.XXXXXX); truncate -s "$1M" "$file"
  losetup --show -f "$file"
}

# Makes a device-mapper device from a table on standard input; prints nothing.
dm_create() { dmsetup create "$1" --noudevrule "${@:2}"; dmsetup mknodes > /dev/null; }

# Puts another table (standard input) under a running device-mapper device, without flushing it.
dm_switch() { dmsetup load "$1"; dmsetup suspend --noflush --nolockfs "$1"; dmsetup resume "$1"; }

# what_hangs NUMBER: who waits where, and what the kernel says of the device's requests.
what_hangs() {
  local file
  cat /work/*.out
  for file in $(find /sys/kernel/debug/block/ublkb$1 -type f 2> /dev/null | sort); do
    case $file in */zone* | */pm_only | */sched_tags | */ctx_map) ;; *) [ -z "$(cat "$file" 2> /dev/null)" ] || { echo "== ${file#/sys/kernel/debug/block/}"; cat "$file"; } ;; esac
  done
  for file in /proc/[0-9]*/task/[0-9]*; do
    if grep -q '^State:.D' "$file/status" 2> /dev/null; then echo "== $file $(cat "$file/comm")"; cat "$file/stack"; fi
  done
  for file in $(pidof java); do jcmd "$file" Thread.print 2>&1 | grep -A6 -E '"(trial|ring)' | head -80; done
}

# The project's classes and libraries; the start-up cache is valid for exactly this class path.
class_path=$(printf '%s:' /payload/jars/*.jar /libraries/*.jar)
jvm=(java $(< /payload/jvm-flags) -XX:AOTCache=/payload/jars/trial.aot -cp "${class_path%:}")

# trial NAME OPTION VALUE…: serves one disk with the real frontend, in the background, and waits until it serves.
# Its output is in NAME.out, its process in $trial_process, commands go to NAME.in.
trial() {
  trial_begins "$@"
  trial_serves "$1"
}

trial_begins() {
  local name=$1; shift
  rm -f "$name.in"; mkfifo "$name.in"
  sleep 100000 > "$name.in" & at_end "kill $!"
  "${jvm[@]}" io.spared.ublk.UblkTrial "$@" < "$name.in" > "$name.out" 2>&1 &
  trial_process=$!
  servers+=("kill -9 $trial_process")
}

trial_serves() {
  eventually ${patience:-150} grep -qE '^(SERVING|ENDED)' "$1.out"
  grep -q '^SERVING' "$1.out" || { cat "$1.out"; fail "it does not serve"; }
  device=$(sed -n 's/^SERVING //p' "$1.out")
}

# trial_ends NAME COMMAND: tells it, and waits until it has ended by itself.
trial_ends() {
  echo "$2" > "$1.in"
  eventually 40 grep -q '^ENDED' "$1.out" || { cat "$1.out"; ls /dev/ublk* || true; return 1; }
  eventually 20 sh -c "! kill -0 $trial_process 2> /dev/null"
}

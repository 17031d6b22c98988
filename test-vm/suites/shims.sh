# about: the two command dialects in which other projects' ublk scripts speak, over the daemon: add, list, kill, recover, del
# limit: 900
# case-limit: 450
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
export SPARED="${jvm[*]} io.spared.app.Main" SPARED_SHIM=/work/shim

# The process and the state in what the last command printed (all but `del` print what `list` does), at the places where this dialect's scripts look for them.
process() { awk '/daemon pid/ {print $7}' list.out; }
state() { awk -v word="$word" '/daemon pid/ {print $word}' list.out; }
listed() { "$shim" list -n "$number" > list.out; [ "$(state)" = "$1" ]; }

# life SHIM WORD TYPE…: a device that is added, written, killed, recovered, read and removed.
life() {
  local shim=/payload/shims/$1 word=$2 first; shift 2
  at_end "kill -9 \$(cat /work/shim/daemon.pid)"
  head -c 33554432 /dev/urandom > /work/file
  dd if=/dev/urandom of=/work/data bs=1M count=2 status=none
  "$shim" "$@" -n "$number" > list.out; cat list.out
  device=/dev/ublkb$number
  same "$(state)" LIVE
  first=$(process); kill -0 "$first"
  same "$(grep -c 'queue [0-9]*: tid [0-9]' list.out)" 1 queues
  dd if=/work/data of="$device" bs=1M oflag=direct status=none
  kill -9 "$first"
  eventually 20 sh -c "! kill -0 $first 2> /dev/null"
  eventually 20 listed QUIESCED
  "$shim" recover -n "$number" > list.out
  same "$(state)" LIVE
  [ "$(process)" != "$first" ] || fail "the dead process serves"
  dd if="$device" of=/work/back bs=1M count=2 iflag=direct status=none
  cmp /work/data /work/back
  "$shim" del -n "$number"
  [ ! -e "$device" ] || fail "$device is still there"
}

case_the_reference_servers_dialect() { life ublk 9 add -t loop -f /work/file -q 1; cmp -n 2097152 /work/data /work/file; }
case_the_kernel_tests_dialect() { life rublk 11 add null; }

# about: the two command dialects in which other projects' ublk scripts speak, over the daemon: add, list, kill, recover, del (not run yet: in no set)
# limit: 900
# case-limit: 450
# sets: alone
# memory: 3072

modprobe -a ublk_drv loop
export SPARED="${jvm[*]} io.spared.app.Main" SPARED_SHIM=/work/shim

# words SHIM N: the process and the state, at the places where this dialect's scripts look for them.
process_of() { "$1" list -n "$2" | awk '/daemon pid/ {print $7}'; }
state_of() { "$1" list -n "$2" | awk -v word="$3" '/daemon pid/ {print $word}'; }

# life SHIM WORD TYPE…: a device that is added, written, killed, recovered, read and removed.
life() {
  local shim=/payload/shims/$1 word=$2 process; shift 2
  at_end "kill -9 \$(cat /work/shim/daemon.pid)"
  head -c 33554432 /dev/urandom > /work/file
  dd if=/dev/urandom of=/work/data bs=1M count=2 status=none
  "$shim" "$@" -n "$number" > list.out; cat list.out
  device=/dev/ublkb$number
  process=$(process_of "$shim" "$number")
  same "$(state_of "$shim" "$number" "$word")" LIVE
  kill -0 "$process"
  same "$(grep -c 'queue [0-9]*: tid [0-9]' list.out)" 1 queues
  dd if=/work/data of="$device" bs=1M oflag=direct status=none
  kill -9 "$process"
  eventually 20 sh -c "! kill -0 $process 2> /dev/null"
  eventually 20 sh -c "[ \"\$($shim list -n $number | awk '/daemon pid/ {print \$$word}')\" = QUIESCED ]"
  "$shim" recover -n "$number" > /dev/null
  same "$(state_of "$shim" "$number" "$word")" LIVE
  [ "$(process_of "$shim" "$number")" != "$process" ] || fail "the dead process serves"
  dd if="$device" of=/work/back bs=1M count=2 iflag=direct status=none
  cmp /work/data /work/back
  "$shim" del -n "$number"
  [ ! -e "$device" ] || fail "$device is still there"
}

case_the_reference_servers_dialect() { life ublk 9 add -t loop -f /work/file -q 1; cmp -n 2097152 /work/data /work/file; }
case_the_kernel_tests_dialect() { life rublk 11 add null; }

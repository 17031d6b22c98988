# about: the daemon itself serves a device as a block device: remaps below it, dies, is taken over, refuses what would harm, and removes
# limit: 1200
# case-limit: 600
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work

# As bin/spared starts it.
program=(perl /payload/with-flusher "${jvm[@]}" io.spared.app.Main)
spared() { "${jvm[@]}" io.spared.app.Main "$@"; }
ctl() { spared ctl --socket /work/control.sock "$@"; }

configure() {
  cat > spared.conf <<C
spared {
  data-directory = "${data:-/work/data}"
  control.socket = "/work/control.sock"
  nbd.listen = []
  devices { trial { main = "fault:$main", spares = ["$spare"], frontend = "ublk", ublk { number = $number, depth = 64, copying = daemon } } }
}
C
  mkdir -p data
}

start_daemon() {
  # Not by the function: the process to be killed would be a shell around the program.
  "${program[@]}" daemon --config /work/spared.conf > "$1.out" 2>&1 &
  daemon=$!; servers+=("kill -9 $daemon")
  eventually 200 grep -q 'is served as /dev/ublkb' "$1.out" || { cat "$1.out"; fail "it does not serve"; }
  device=$(sed -n 's/.*is served as \(.dev.ublkb[0-9]*\).*/\1/p' "$1.out" | tail -1)
}

make_disks() {
  main=$(ram_disk 64); at_end "losetup -d $main"
  spare=$(ram_disk 32); at_end "losetup -d $spare"
  spared ctl create trial --main "$main" --spare "$spare" > create.out 2>&1 || { cat create.out; fail "create"; }
  configure
}

# Of the threads of a process, those without both flags that the I/O-flusher flag sets.
without_flusher_flag() {
  local task flags
  for task in /proc/$1/task/*; do
    flags=$(sed 's/.*) //' "$task/stat" | cut -d' ' -f7)
    [ $((flags & 0x180000)) = $((0x180000)) ] || cat "$task/comm"
  done
}

reads_back() {
  dd if="$device" of=back bs=64k count=64 iflag=direct status=none
  cmp data.bin back
}

case_a_remap_a_kill_and_a_stop() {
  make_disks
  start_daemon one
  same "$device" "/dev/ublkb$number"
  same "$(without_flusher_flag "$daemon")" "" "threads without the I/O-flusher flag"
  grep -q '^VmLck:.*[1-9]' "/proc/$daemon/status" || fail "no memory is locked"
  dd if=/dev/urandom of=data.bin bs=1M count=4 status=none
  dd if=data.bin of="$device" bs=64k oflag=direct status=none
  ctl fault trial main write fail=EIO range=1M+4K > fault.out 2>&1 || { cat fault.out; fail "fault"; }
  dd if=/dev/urandom of=block bs=4096 count=1 status=none
  dd if=block of="$device" bs=4096 seek=256 count=1 oflag=direct status=none
  dd if=block of=data.bin bs=4096 seek=256 count=1 conv=notrunc status=none
  reads_back

  # A second daemon over the same disks does not get them, and the first one serves on.
  sed 's,/work/control\.sock,/work/second.sock,; s,/work/data,/work/second,' spared.conf > second.conf; mkdir -p second
  "${program[@]}" daemon --config /work/second.conf > second.out 2>&1 & second=$!; servers+=("kill -9 $second")
  eventually 150 grep -qiE 'busy|in use|EBUSY' second.out || { cat second.out; fail "the second daemon says nothing"; }
  if grep 'is served as' second.out; then fail "two daemons serve one set-up"; fi
  kill -9 "$second"
  reads_back

  kill -9 "$daemon"
  spared ctl ublk list > list.out; cat list.out
  grep -q "^$device  waits for a daemon, .*spared's" list.out
  refuses 'say --yes' spared ctl ublk remove "$number"
  # Under another name it is the same set-up, and so the same block device.
  sed -i 's/devices { trial/devices { renamed/' spared.conf
  start_daemon two
  same "$device" "/dev/ublkb$number"
  reads_back
  # The block lives on the spare now: main has the old bytes there.
  dd if="$main" of=below bs=4096 skip=256 count=1 iflag=direct status=none
  refuses differ cmp block below
  refuses 'served by process' spared ctl ublk remove "$number"
  kill "$daemon"
  eventually 60 sh -c "[ ! -e $device ]"
  eventually 60 sh -c "! kill -0 $daemon 2> /dev/null"
}

case_a_daemon_hands_over_to_the_next_one_under_a_mounted_file_system() {
  make_disks
  start_daemon one
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  head -c 3000000 /dev/urandom > /mnt/a/before
  first=$daemon
  ctl hand-over
  eventually 60 sh -c "! kill -0 $first 2> /dev/null"
  (head -c 3000000 /dev/urandom > /mnt/a/meanwhile && sync /mnt/a/meanwhile && echo written) > meanwhile.out 2>&1 & writer=$!
  start_daemon two
  same "$device" "/dev/ublkb$number"
  wait $writer; same "$(tail -1 meanwhile.out)" written
  # What the first daemon left was clean: its record of the stop is there.
  umount /mnt/a
  e2fsck -fn "$device" > fsck.out 2>&1 || { cat fsck.out; fail "ext4 is damaged"; }
}

case_a_daemon_that_is_restarted_leaves_what_is_in_use_and_removes_the_rest() {
  make_disks
  start_daemon one
  first=$daemon
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  refuses "in use, mounted at /mnt/a" ctl stop trial
  refuses "in use, mounted at /mnt/a" ctl remove trial
  (until [ -e enough ]; do
    fio --name=verify --directory=/mnt/a --direct=1 --ioengine=libaio --iodepth=8 --numjobs=2 --size=8M --rate_iops=20 --rw=randwrite --bsrange=4k-64k \
      --verify=crc32c --verify_backlog=32 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --time_based=1 --runtime=10 > fio.out 2>&1 || exit 1
    [ "$(grep -c 'err= 0' fio.out)" = 2 ] || exit 1
    echo "a pass without an error"
  done) > verify.out 2>&1 & load=$!; at_end "touch enough; kill -9 $load"
  eventually 60 sh -c 'ls /mnt/a/verify.*'
  # What systemd does on a restart.
  kill "$first"
  eventually 60 sh -c "! kill -0 $first 2> /dev/null"
  grep "$device is in use, mounted at /mnt/a, and is left" one.out || { cat one.out; fail "it does not say what it left"; }
  # It waits with everybody else.
  (head -c 3000000 /dev/urandom > /mnt/a/meanwhile && sync /mnt/a/meanwhile && echo written) > meanwhile.out 2>&1 & writer=$!
  kill -0 $load || { cat verify.out fio.out; fail "fio ended"; }
  start_daemon two
  same "$device" "/dev/ublkb$number"
  touch enough
  wait $load || { cat verify.out fio.out; what_hangs "$number"; fail "fio saw an error or other bytes"; }
  note "$(wc -l < verify.out) passes of fio"
  wait $writer; same "$(tail -1 meanwhile.out)" written
  umount /mnt/a
  e2fsck -fn "$device" > fsck.out 2>&1 || { cat fsck.out; fail "ext4 is damaged"; }

  # A program that only has it open is waited for, and then left waiting too.
  exec 5< "$device"
  kill "$daemon"
  eventually 60 sh -c "! kill -0 $daemon 2> /dev/null"
  grep "$device is in use, open in .*, and is left" two.out || { cat two.out; fail "it does not say what it left"; }
  # Without it: a daemon that has its own device open uses it too.
  start_daemon three 5<&-
  exec 5<&-
  # Nobody uses it now.
  kill "$daemon"
  eventually 60 sh -c "! kill -0 $daemon 2> /dev/null"
  [ ! -e "$device" ] || { cat three.out; fail "$device is still there"; }
}

case_what_a_dead_daemon_left_is_recovered_and_removed_by_command() {
  # Two SCSI disks, each with a serial number: without one, discovery is never sure.
  modprobe sd_mod; modprobe scsi_debug add_host=2 per_host_store=1 dev_size_mb=64 delay=0; at_end "rmmod scsi_debug"
  eventually 20 sh -c '[ $(ls -d /sys/bus/scsi/devices/*/block/sd* | wc -l) = 2 ]'
  set -- $(ls -d /sys/bus/scsi/devices/*/block/sd*); main=/dev/${1##*/} spare=/dev/${2##*/}
  spared ctl create trial --main "$main" --spare "$spare" > create.out 2>&1 || { cat create.out; fail "create"; }
  configure
  start_daemon one
  dd if=/dev/urandom of=data.bin bs=1M count=4 status=none
  dd if=data.bin of="$device" bs=64k oflag=direct status=none
  kill -9 "$daemon"
  # A daemon that does not know the device takes it back when it is told to.
  sed -i "s,devices {.*,," spared.conf
  "${program[@]}" daemon --config /work/spared.conf > two.out 2>&1 & daemon=$!; servers+=("kill -9 $daemon")
  eventually 150 grep -q 'spared ready' two.out
  ctl ublk recover "$number" || { ctl discover --dry-run || true; fail "recover"; }
  eventually 60 grep -q "is served as $device" two.out
  reads_back
  kill -9 "$daemon"
  spared ctl ublk remove "$number" --yes
  [ ! -e "$device" ] || fail "$device is still there"
}

case_a_daemon_whose_files_are_on_its_own_device_does_not_start() {
  make_disks
  start_daemon one
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/own; mount -t ext4 "$device" /mnt/own; at_end "umount /mnt/own"
  mkdir /mnt/own/data
  data=/mnt/own/data configure
  sed -i 's,/work/control\.sock,/work/second.sock,' spared.conf
  refuses "data directory /mnt/own/data lies on $device" timeout 100 "${program[@]}" daemon --config /work/spared.conf
  umount /mnt/own
}

case_a_forced_stop_writes_what_is_cached_and_a_start_serves_it_again() {
  make_disks
  start_daemon one
  dd if=/dev/urandom of=data.bin bs=1M count=4 status=none
  # Held open, so that what is written stays in the cache when its writer has closed it.
  exec 5< "$device"
  dd if=data.bin of="$device" bs=64k conv=notrunc,nocreat status=none
  ctl stop trial --force
  [ ! -e "$device" ] || fail "$device is still there"
  exec 5<&-
  ctl start trial
  eventually 100 sh -c "[ \$(grep -c 'is served as' one.out) = 2 ]"
  reads_back
  ctl stop trial
  [ ! -e "$device" ] || fail "$device is still there after a stop without force"
}

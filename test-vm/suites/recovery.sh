# about: the daemon is killed under load and another one takes the device back: programs see a pause and no error
# limit: 900
# case-limit: 300
# sets: all
# memory: 3072

modprobe -a ublk_drv loop dm-mod
cd /work
. /payload/guest/kills.sh

case_fio_verifies_over_kills_of_the_daemon() { fio_over_kills 1; }

case_ext4_goes_on_over_kills_of_the_daemon() { mounted_over_kills ext4 "e2fsck -fn" 2 mkfs.ext4 -q -F; }

case_a_planned_hand_over_is_not_noticed() {
  disk=$(ram_disk 64); at_end "losetup -d $disk"
  serve_first t; first=$trial_process
  dd if=/dev/urandom of=data bs=1M count=8 status=none
  dd if=data of="$device" bs=1M oflag=direct status=none
  trial_begins t2 "${options[@]}" --recover yes --wait yes
  eventually 150 grep -q '^READY' t2.out
  (for i in $(seq 1 40); do dd if="$device" bs=1M count=8 iflag=direct status=none | cmp data - || exit 1; done) & reader=$!
  begun=$(uptime_now)
  echo leave > t.in
  eventually 40 grep -q '^ENDED left=true' t.out
  ended=$(since "$begun")
  # Not by a deadline.
  grep -qx 'ENDED left=true ' t.out || { cat t.out; fail "it did not end by itself"; }
  eventually 20 sh -c "! kill -0 $first 2> /dev/null"
  gone=$(since "$begun")
  echo go > t2.in; trial_serves t2
  note "left after $ended s, its process gone after $gone s, served again after $(since "$begun") s"
  wait $reader || fail "the reader saw an error or other bytes"
  trial_ends t2 stop
}

# What the disk has for longer than is waited for is not answered: the next server gets it again, once the kernel has let go of the disk.
case_a_hand_over_while_a_disk_hangs_fails_nothing() {
  below=$(ram_disk 64); at_end "losetup -d $below"
  echo "0 131072 linear $below 0" | dm_create slow; at_end "dmsetup remove --retry slow"
  disk=/dev/mapper/slow
  dd if=/dev/urandom of=data bs=4096 count=2 status=none
  serve_first t --deadline 300; first=$trial_process
  dd if=data of="$device" bs=4096 count=1 oflag=direct status=none
  trial_begins t2 "${options[@]}" --recover yes --wait yes
  eventually 150 grep -q '^READY' t2.out
  dmsetup suspend --noflush --nolockfs slow; at_end "dmsetup resume slow"
  dd if=data of="$device" bs=4096 count=1 skip=1 seek=1 oflag=direct status=none & writer=$!
  dd if="$device" of=back bs=4096 count=1 iflag=direct status=none & reader=$!
  sleep 1
  echo leave > t.in
  eventually 60 grep -q '^ENDED left=true' t.out || { cat t.out; fail "it does not end"; }
  kill -0 $writer; kill -0 $reader
  dmsetup resume slow
  eventually 20 sh -c "! kill -0 $first 2> /dev/null"
  echo go > t2.in; trial_serves t2
  wait $writer || fail "the write failed"
  wait $reader || fail "the read failed"
  cmp -n 4096 data back
  dd if="$device" of=back bs=4096 count=2 iflag=direct status=none
  cmp data back
  trial_ends t2 stop
}

case_another_device_under_the_number_is_not_taken() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  other=$(ram_disk 32); at_end "losetup -d $other"
  serve_first t; first=$trial_process
  trial_begins x --main "$other" --number "$number" --recover yes --wait yes
  eventually 150 grep -q '^READY' x.out
  kill -9 "$first"
  echo go > x.in
  eventually 60 grep -q '^ENDED left=true.*remove it' x.out || { cat x.out; fail "took a device of another size"; }
}

# about: disks that fail as disks do, below a served device: errors, hangs, and stopping all the same
# limit: 900
# case-limit: 240
# sets: ci all
# memory: 3072

modprobe -a ublk_drv loop dm-mod
cd /work

# A linear device-mapper device of the disk's size, under a name of its own.
make_failing() {
  failing=failing$number
  disk=$(ram_disk 32); at_end "losetup -d $disk"
  sectors=$(blockdev --getsz "$disk")
  echo "0 $sectors linear $disk 0" | dm_create "$failing"; at_end "dmsetup remove --retry $failing"
}

# An error in the middle of a request is an error for all of it, and for nothing else: a driver may take a part for the whole.
errors_at_their_place() {
  make_failing
  trial t --main "/dev/mapper/$failing" --number "$number" --copying "$1"
  dd if=/dev/urandom of=data bs=1M count=32 status=none
  dd if=data of="$device" bs=1M oflag=direct status=none
  dm_switch "$failing" <<T
0 1000 linear $disk 0
1000 8 error
1008 $((sectors - 1008)) linear $disk 1008
T
  local said='Input/output error|No data available' size
  # The disk itself fails there.
  refuses "$said" dd if="/dev/mapper/$failing" of=/dev/null bs=512 skip=1003 count=1 iflag=direct
  # A megabyte that holds the bad range fails; its neighbours to the sector are right.
  refuses "$said" dd if="$device" of=/dev/null bs=1M count=1 iflag=direct
  for size in 64 4; do refuses "$said" dd if="$device" of=/dev/null bs=${size}k skip=$((500 / size)) count=1 iflag=direct; done
  dd if="$device" of=head bs=512 count=1000 iflag=direct status=none
  cmp -n 512000 data head
  dd if="$device" of=tail bs=512 skip=1008 count=4096 iflag=direct status=none
  cmp -i $((1008 * 512)):0 -n $((4096 * 512)) data tail
  refuses "$said" dd if="$device" of=/dev/null bs=512 skip=1003 count=1 iflag=direct
  # Nothing that was written in part is called written.
  refuses "$said" dd if=data of="$device" bs=64k seek=7 skip=7 count=1 oflag=direct
  refuses "$said" dd if=data of="$device" bs=4k seek=125 skip=125 count=1 oflag=direct
  dd if=data of="$device" bs=4k seek=126 skip=126 count=1 oflag=direct status=none
  # The disk is well again.
  echo "0 $sectors linear $disk 0" | dm_switch "$failing"
  dd if="$device" of=back bs=1M iflag=direct status=none
  cmp data back
  trial_ends t stop
}

case_an_error_below_is_an_error_at_its_own_place_only() { errors_at_their_place daemon; }
case_an_error_below_is_an_error_at_its_own_place_only_where_the_driver_copies() { errors_at_their_place driver; }

case_a_disk_that_hangs_fails_its_requests_at_their_deadline_and_nothing_else() {
  make_failing
  trial t --main "/dev/mapper/$failing" --number "$number" --deadline 3
  dmsetup suspend --noflush --nolockfs "$failing"; at_end "dmsetup resume $failing"
  refuses 'Input/output error|timed out|Connection timed out' dd if="$device" of=/dev/null bs=4096 count=1 iflag=direct
  dmsetup resume "$failing"
  dd if="$device" of=/dev/null bs=4096 count=1 iflag=direct status=none
  trial_ends t stop
}

case_a_device_whose_disk_hangs_is_still_removed() {
  make_failing
  trial t --main "/dev/mapper/$failing" --number "$number" --deadline 60
  dmsetup suspend --noflush --nolockfs "$failing"; at_end "dmsetup resume $failing"
  dd if="$device" of=/dev/null bs=4096 count=1 iflag=direct > dd.out 2>&1 & reader=$!
  sleep 1
  echo stop > t.in
  eventually 60 grep -q '^ENDED left=false' t.out || { cat t.out; fail "it does not end"; }
  ! wait $reader
  [ ! -e "$device" ] || fail "$device is still there"
  dmsetup resume "$failing"
}

case_a_device_in_use_is_not_stopped_when_asked_gently() {
  disk=$(ram_disk 64); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number"
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  [ "$(uname -r | cut -d. -f1)" -ge 7 ] || skip "this kernel's driver cannot tell"
  echo stop-if-unused > t.in
  eventually 30 grep -q '^REFUSED.*in use' t.out
  echo x > /mnt/a/x; sync /mnt/a/x
  umount /mnt/a
  trial_ends t stop-if-unused
}

case_a_missing_driver_is_a_sentence() {
  rmmod ublk_drv 2> /dev/null || true
  [ ! -e /dev/ublk-control ] || skip "this kernel's driver cannot be unloaded"
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  "${jvm[@]}" io.spared.ublk.UblkTrial --main "$disk" < /dev/null > x.out 2>&1 || true
  grep -q "modprobe ublk_drv" x.out || { cat x.out; fail "no advice"; }
}

case_a_number_that_is_taken_and_too_many_devices_are_sentences() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  trial t --main "$disk" --number 3
  other=$(ram_disk 16); at_end "losetup -d $other"
  "${jvm[@]}" io.spared.ublk.UblkTrial --main "$other" --number 3 < /dev/null > y.out 2>&1 || true
  grep -q 'ENDED.*number is taken' y.out || { cat y.out; fail "no advice"; }
  # Older drivers count every device, newer ones only those of unprivileged users.
  if [ "$(uname -r | cut -d. -f1,2)" = 6.12 ]; then
    echo 1 > /sys/module/ublk_drv/parameters/ublks_max
    trial_begins z --main "$other" --number 4
    eventually 150 grep -qE '^(SERVING|ENDED)' z.out
    if grep -q '^SERVING' z.out; then
      note "this driver does not count the devices of who may do everything"
      trial_ends z stop
    else
      grep -q 'ENDED.*as many devices as it allows.*ublks_max' z.out || { cat z.out; fail "no advice"; }
    fi
    echo 64 > /sys/module/ublk_drv/parameters/ublks_max
  fi
  trial_ends t stop
}

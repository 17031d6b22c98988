# about: the smallest case: 16 MiB of memory as a block device, 4 KiB written and read back, removed
# limit: 420
# case-limit: 200
# sets: ci all

modprobe -a ublk_drv loop

four_kilobytes_there_and_back() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  cd /work
  trial t --main "$disk" --number "$number" --copying "$1"
  same "$(blockdev --getsize64 "$device")" $((16 << 20))
  dd if=/dev/urandom of=data bs=4096 count=1 status=none
  dd if=data of="$device" bs=4096 count=1 seek=5 oflag=direct status=none
  dd if="$device" of=back bs=4096 count=1 skip=5 iflag=direct status=none
  cmp data back
  dd if="$disk" of=below bs=4096 count=1 skip=5 iflag=direct status=none
  cmp data below
  trial_ends t stop
  [ ! -e "$device" ] || fail "$device is still there"
  [ ! -e /dev/ublkc$number ] || fail "/dev/ublkc$number is still there"
}

case_copied_by_the_daemon() { four_kilobytes_there_and_back daemon; }
case_copied_by_the_driver() { four_kilobytes_there_and_back driver; }

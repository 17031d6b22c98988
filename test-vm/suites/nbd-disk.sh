# about: QEMU with an export of this machine's server as the guest's own disk
# limit: 300
# case-limit: 120
# sets: ci all
# host: nbd-export

cd /work

disk() {
  for device in /sys/block/vd*; do if [ "$(cat "$device/serial")" = export ]; then device=/dev/${device##*/}; return; fi; done
  fail "the guest has no such disk"
}

case_a_file_system_on_it_keeps_its_files() {
  disk
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  for i in $(seq 1 20); do head -c $((i * 37000)) /dev/urandom > "/mnt/a/$i"; done
  cp -r /payload/guest /mnt/a/guest
  (cd /mnt/a && find . -type f | sort | xargs sha256sum) > before
  umount /mnt/a
  echo 3 > /proc/sys/vm/drop_caches
  mount -t ext4 -o discard "$device" /mnt/a
  (cd /mnt/a && find . -type f | sort | xargs sha256sum) > after
  cmp before after
  rm -r /mnt/a/guest; sync
  umount /mnt/a
  e2fsck -fn "$device" > fsck.out 2>&1 || { cat fsck.out; fail "ext4 is damaged"; }
}

case_fio_verifies_what_it_wrote() {
  disk
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=16 --numjobs=2 --size=8M --offset_increment=8M \
    --rw=randwrite --bsrange=512-256k --blockalign=512 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
    --serialize_overlap=1 --fsync=32 --group_reporting > fio.out 2>&1 || { cat fio.out; fail "fio found other bytes than it wrote"; }
}

case_zeroes_and_discard_touch_no_other_byte() {
  disk
  head -c $((4 << 20)) /dev/urandom > expected
  dd if=expected of="$device" bs=1M oflag=direct status=none
  blkdiscard -z -o 1048576 -l 262144 "$device"
  dd if=/dev/zero of=expected bs=4096 seek=256 count=64 conv=notrunc status=none
  blkdiscard -o $((8 << 20)) -l $((1 << 20)) "$device"
  dd if="$device" of=found bs=1M count=4 iflag=direct status=none
  cmp expected found
}

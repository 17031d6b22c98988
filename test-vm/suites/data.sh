# about: what is written is read back: fio with four jobs over two queues, deep queues, discard and zeroes
# limit: 900
# case-limit: 300
# sets: ci all
# memory: 3072

modprobe -a ublk_drv loop
cd /work

serve() {
  disk=$(ram_disk "$1"); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number" "${@:2}"
}

verify_with_fio() {
  # Four jobs with a region each, in sizes from one sector to 1 MiB, in no order, unaligned to blocks; every byte is checked by its own checksum.
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=16 --numjobs=4 --size=24M --offset_increment=24M \
    --rw=randwrite --bssplit=512/10:1k/10:3584/5:4k/30:12k/10:64k/20:256k/10:1M/5 --bs_unaligned=1 --blockalign=512 \
    --verify=crc32c --verify_backlog=64 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --randrepeat=1 --io_size=16M --group_reporting > fio.out 2>&1 ||
    { cat fio.out; fail "fio found other bytes than it wrote"; }
  note "$(grep -E 'WRITE:|READ:' fio.out | tr -s ' ' | tr '\n' ' ')"
}

case_fio_verifies_four_jobs_over_two_queues_copied_by_the_daemon() {
  serve 128 --queues 2 --depth 64 --copying daemon
  same "$(ls /sys/block/ublkb$number/mq | wc -l)" 2 queues
  verify_with_fio
  trial_ends t stop
}

case_fio_verifies_four_jobs_over_two_queues_copied_by_the_driver() {
  serve 128 --queues 2 --depth 64 --copying driver
  verify_with_fio
  trial_ends t stop
}

case_a_deep_queue_serves() {
  serve 64 --queues 1 --depth 4096
  fio --name=deep --filename="$device" --direct=1 --ioengine=libaio --iodepth=512 --numjobs=2 --rw=randread --bs=4k --size=32M --io_size=4M > fio.out 2>&1 || { cat fio.out; fail "fio"; }
  trial_ends t stop
}

case_zeroes_and_discard_touch_no_other_byte() {
  serve 16
  head -c $((16 << 20)) /dev/urandom > expected
  dd if=expected of="$device" bs=1M oflag=direct status=none
  # Zeroes in sectors within blocks and across many.
  for range in "512 512" "7680 1024" "1048576 262144" "3146240 12800"; do
    set -- $range
    fallocate -z -o "$1" -l "$2" "$device" 2> /dev/null || blkdiscard -z -o "$1" -l "$2" "$device"
    dd if=/dev/zero of=expected bs=512 seek=$(($1 / 512)) count=$(($2 / 512)) conv=notrunc status=none
  done
  dd if="$device" of=found bs=1M iflag=direct status=none
  cmp expected found
  # A discard promises nothing of its own range; the rest stays.
  blkdiscard -o $((8 << 20)) -l $((1 << 20)) "$device"
  dd if="$device" of=found bs=1M iflag=direct status=none
  cmp -n $((8 << 20)) expected found
  cmp -i $((9 << 20)) expected found
  trial_ends t stop
}

case_a_read_only_device_refuses_writes() {
  serve 16 --read-only yes
  same "$(blockdev --getro "$device")" 1
  refuses 'Operation not permitted|Read-only|not permitted' dd if=/dev/zero of="$device" bs=4096 count=1 oflag=direct
  dd if="$device" of=/dev/null bs=4096 count=1 iflag=direct status=none
  trial_ends t stop
}

case_a_device_with_4096_byte_sectors_says_so() {
  serve 16 --sector 4096
  same "$(blockdev --getss "$device")" 4096
  refuses 'Invalid argument' dd if=/dev/zero of="$device" bs=512 count=1 oflag=direct
  dd if=/dev/urandom of="$device" bs=4096 count=4 oflag=direct status=none
  trial_ends t stop
}

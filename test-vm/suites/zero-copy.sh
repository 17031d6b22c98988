# about: zero copy: the disk below reads and writes the kernel's own pages; what it cannot do with them goes through memory
# limit: 900
# case-limit: 240
# sets: all
# kernels: newest
# memory: 3072

modprobe -a ublk_drv loop dm-mod
cd /work
. /payload/guest/kills.sh

serve() {
  disk=$(ram_disk "$1"); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number" --copying nobody "${@:2}"
}

make_failing() {
  failing=failing$number
  disk=$(ram_disk 32); at_end "losetup -d $disk"
  sectors=$(blockdev --getsz "$disk")
  echo "0 $sectors linear $disk 0" | dm_create "$failing"; at_end "dmsetup remove --retry $failing"
}

case_what_is_written_is_read_back() {
  serve 16
  head -c $((16 << 20)) /dev/urandom > data
  dd if=data of="$device" bs=1M oflag=direct status=none
  dd if="$device" of=back bs=64k iflag=direct status=none
  cmp data back
  cmp -n $((16 << 20)) data "$disk"
  trial_ends t stop
}

# Four jobs with a region each, in sizes from one sector to 1 MiB, unaligned to blocks; every byte is checked by its own checksum.
case_fio_verifies_four_jobs_over_two_queues() {
  serve 128 --queues 2 --depth 64
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=16 --numjobs=4 --size=24M --offset_increment=24M \
    --rw=randwrite --bssplit=512/10:1k/10:3584/5:4k/30:12k/10:64k/20:256k/10:1M/5 --bs_unaligned=1 --blockalign=512 \
    --verify=crc32c --verify_backlog=64 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --randrepeat=1 --io_size=16M --group_reporting > fio.out 2>&1 ||
    { cat fio.out; fail "fio found other bytes than it wrote"; }
  note "$(grep -E 'WRITE:|READ:' fio.out | tr -s ' ' | tr '\n' ' ')"
  trial_ends t stop
}

# A request of which the disk holds the pages is answered when the disk has let go, and the places of such requests are nobody else's until then: while they
# wait, all other tags go round many times, on the same ring, and every byte is right.
case_pages_that_a_hanging_disk_holds_are_nobody_elses() {
  failing=failing$number
  disk=$(ram_disk 32); at_end "losetup -d $disk"
  sectors=$(blockdev --getsz "$disk")
  # The first eight MiB are another device's, which can hang by itself.
  echo "0 16384 linear $disk 0" | dm_create "hanging$number"; at_end "dmsetup remove --retry hanging$number"
  dm_create "$failing" <<T
0 16384 linear /dev/mapper/hanging$number 0
16384 $((sectors - 16384)) linear $disk 16384
T
  at_end "dmsetup remove --retry $failing"
  trial t --main "/dev/mapper/$failing" --number "$number" --copying nobody --queues 1 --depth 16 --deadline 2
  head -c $((8 << 20)) /dev/urandom > data
  dd if=data of="$device" bs=1M oflag=direct status=none
  dmsetup suspend --noflush --nolockfs "hanging$number"; at_end "dmsetup resume hanging$number"
  head -c $((256 << 10)) /dev/urandom > new
  local i readers=()
  for i in 0 1; do dd if="$device" of=read.$i bs=64k skip=$((i * 4)) count=1 iflag=direct > reader.$i 2>&1 & readers+=($!); done
  dd if=new of="$device" bs=64k seek=64 count=1 oflag=direct > writer 2>&1 & readers+=($!)
  # Longer than their deadline: spared has given all three up, and they wait for the disk all the same.
  sleep 5
  for i in "${readers[@]}"; do kill -0 "$i" 2> /dev/null || fail "it was answered while the disk had its pages: $(cat reader.* writer)"; done
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=12 --offset=16M --size=8M --rw=randwrite --bssplit=512/20:4k/50:64k/30 \
    --verify=crc32c --verify_backlog=32 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --randrepeat=1 --io_size=8M > fio.out 2>&1 ||
    { cat fio.out; fail "fio found other bytes than it wrote"; }
  for i in "${readers[@]}"; do kill -0 "$i" 2> /dev/null || fail "it was answered while the disk had its pages"; done
  dmsetup resume "hanging$number"
  for i in "${readers[@]}"; do ! wait "$i" || fail "a request that missed its deadline succeeded"; done
  grep -qE 'Input/output error|timed out' reader.0
  dd if="$device" of=back bs=64k count=1 iflag=direct status=none
  cmp -n 65536 data back
  # Nothing but the write that was given up touched the rest: the old or the new bytes, sector by sector.
  dd if="$device" of=back bs=1M count=8 iflag=direct status=none
  cmp -n $((4 << 20)) data back
  cmp -i $(((4 << 20) + 65536)) data back
  trial_ends t stop
}

case_an_error_below_is_an_error_at_its_own_place_only() {
  make_failing
  trial t --main "/dev/mapper/$failing" --number "$number" --copying nobody
  dd if=/dev/urandom of=data bs=1M count=32 status=none
  dd if=data of="$device" bs=1M oflag=direct status=none
  dm_switch "$failing" <<T
0 1000 linear $disk 0
1000 8 error
1008 $((sectors - 1008)) linear $disk 1008
T
  local said='Input/output error|No data available'
  refuses "$said" dd if="$device" of=/dev/null bs=64k skip=7 count=1 iflag=direct
  dd if="$device" of=head bs=512 count=1000 iflag=direct status=none
  cmp -n 512000 data head
  dd if="$device" of=tail bs=512 skip=1008 count=4096 iflag=direct status=none
  cmp -i $((1008 * 512)):0 -n $((4096 * 512)) data tail
  refuses "$said" dd if=data of="$device" bs=64k seek=7 skip=7 count=1 oflag=direct
  echo "0 $sectors linear $disk 0" | dm_switch "$failing"
  dd if="$device" of=back bs=1M iflag=direct status=none
  cmp data back
  trial_ends t stop
}

# The dead server's registrations go with its ring, and its requests come again.
case_fio_verifies_over_a_kill_of_the_server() { fio_over_kills 1 --copying nobody; }

# The daemon itself: the relocator has the new bytes, though nobody copied them for the first try.
case_a_block_that_cannot_be_written_is_moved_with_its_new_bytes() {
  make_failing
  spare=$(ram_disk 32); at_end "losetup -d $spare"
  "${jvm[@]}" io.spared.app.Main ctl --socket /work/control.sock create trial --main "/dev/mapper/$failing" --spare "$spare" > create.out 2>&1 || { cat create.out; fail "create"; }
  mkdir -p data-directory
  cat > spared.conf <<C
spared {
  data-directory = "/work/data-directory"
  control.socket = "/work/control.sock"
  nbd.listen = []
  devices { trial { main = "/dev/mapper/$failing", spares = ["$spare"], frontend = "ublk", ublk { number = $number, depth = 64, copying = none } } }
}
C
  perl /payload/with-flusher "${jvm[@]}" io.spared.app.Main daemon --config /work/spared.conf > daemon.out 2>&1 & servers+=("kill -9 $!")
  eventually 200 grep -q 'is served as /dev/ublkb' daemon.out || { cat daemon.out; fail "it does not serve"; }
  device=/dev/ublkb$number
  dd if=/dev/urandom of=data bs=1M count=16 status=none
  dd if=data of="$device" bs=1M oflag=direct status=none
  # One block in the middle of what is written next.
  dm_switch "$failing" <<T
0 2048 linear $disk 0
2048 8 error
2056 $((sectors - 2056)) linear $disk 2056
T
  dd if=/dev/urandom of=data bs=64k seek=14 count=4 conv=notrunc status=none
  dd if=data of="$device" bs=64k skip=14 seek=14 count=4 oflag=direct status=none
  dd if="$device" of=back bs=1M count=16 iflag=direct status=none
  cmp data back
  # Across the block that is on the spare now, once more, and in part.
  dd if=/dev/urandom of=data bs=512 seek=2050 count=3 conv=notrunc status=none
  dd if=data of="$device" bs=512 skip=2050 seek=2050 count=3 oflag=direct status=none
  dd if="$device" of=back bs=1M count=16 iflag=direct status=none
  cmp data back
  "${jvm[@]}" io.spared.app.Main ctl --socket /work/control.sock status > status.out 2>&1 || true
  note "$(grep -w trial status.out | head -1)"
}

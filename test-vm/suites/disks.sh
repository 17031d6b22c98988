# about: disks that misbehave for a while, slowly, in places, or by going away; power cuts replayed from a log of writes
# limit: 900
# case-limit: 200
# sets: all
# memory: 3072

modprobe -a ublk_drv loop dm-mod
cd /work

# The device's content is that of the file `data`, 16 MiB.
serve() {
  trial t --main "$1" --number "$number" "${@:2}"
  [ -e data ] || dd if=/dev/urandom of=data bs=1M count=16 status=none
  dd if=data of="$device" bs=64k oflag=direct status=none
}

# mapped NAME TABLE…: a device-mapper device over a new RAM disk; DISK and SECTORS in the table stand for it.
mapped() {
  disk=$(ram_disk 32); at_end "losetup -d $disk"
  sectors=$(blockdev --getsz "$disk")
  table linear | dm_create "$1"; at_end "dmsetup remove --retry $1"
}
table() { echo "0 $sectors $1 $disk 0 ${*:2}"; }

# Reads 64 times 64 KiB at different places: each gives the right bytes or an error; prints how many failed.
right_or_error() {
  local i place failed=0
  for i in $(seq 0 63); do
    place=$((i * 37 % 256))
    if dd if="$device" of=piece bs=64k skip=$place count=1 iflag=direct status=none 2> /dev/null; then
      cmp -i $((place * 65536)):0 -n 65536 data piece || fail "other bytes at $place"
    else
      failed=$((failed + 1))
    fi
  done
  echo $failed
}

case_a_disk_that_fails_reads_now_and_then_never_gives_other_bytes() {
  modprobe dm-flakey
  mapped flakey$number
  serve "/dev/mapper/flakey$number"
  table flakey 1 1 1 error_reads | dm_switch flakey$number
  note "$(right_or_error) of 64 reads failed"
  table linear | dm_switch flakey$number
  same "$(right_or_error)" 0 "reads that fail on a well disk"
  trial_ends t stop
}

case_a_disk_that_fails_writes_says_so_and_keeps_the_rest() {
  modprobe dm-flakey
  mapped flakey$number
  serve "/dev/mapper/flakey$number"
  table flakey 0 10 1 error_writes | dm_switch flakey$number
  refuses 'Input/output error|No data available' dd if=/dev/zero of="$device" bs=64k seek=9 count=1 oflag=direct
  same "$(right_or_error)" 0 "reads that fail while writes do"
  table linear | dm_switch flakey$number
  dd if=data of="$device" bs=64k oflag=direct status=none
  same "$(right_or_error)" 0
  trial_ends t stop
}

case_a_slow_disk_is_waited_for_until_the_deadline() {
  modprobe dm-delay
  mapped delay$number
  serve "/dev/mapper/delay$number" --deadline 4
  table delay 300 | dm_switch delay$number
  dd if="$device" of=piece bs=64k count=4 iflag=direct status=none
  cmp -n 262144 data piece
  table delay 9000 | dm_switch delay$number
  refuses 'Input/output error|timed out' dd if="$device" of=/dev/null bs=64k count=1 iflag=direct
  table linear | dm_switch delay$number
  eventually 20 dd if="$device" of=piece bs=64k count=4 iflag=direct status=none
  cmp -n 262144 data piece
  trial_ends t stop
}

# A SCSI disk of 16 MiB, in $disk.
scsi_disk() {
  modprobe sd_mod
  modprobe scsi_debug dev_size_mb=16 delay=0 "$@"
  at_end "rmmod scsi_debug"
  eventually 20 sh -c 'grep -l scsi_debug /sys/block/sd*/device/model'
  disk=/dev/$(basename "$(dirname "$(dirname "$(grep -l scsi_debug /sys/block/sd*/device/model | head -1)")")")
  eventually 10 test -b "$disk"
}

case_medium_errors_of_a_scsi_disk_stay_where_they_are() {
  scsi_disk medium_error_start=4660 medium_error_count=10
  serve "$disk"
  echo 2 > /sys/bus/pseudo/drivers/scsi_debug/opts
  refuses 'Input/output error|No data available|Medium' dd if="$device" of=/dev/null bs=512 skip=4664 count=1 iflag=direct
  dd if="$device" of=piece bs=512 count=4660 iflag=direct status=none
  cmp -n $((4660 * 512)) data piece
  dd if="$device" of=piece bs=512 skip=4670 count=8000 iflag=direct status=none
  cmp -i $((4670 * 512)):0 -n $((8000 * 512)) data piece
  echo 0 > /sys/bus/pseudo/drivers/scsi_debug/opts
  trial_ends t stop
}

case_a_disk_that_is_deleted_fails_and_its_device_can_be_stopped() {
  scsi_disk
  serve "$disk"
  (while dd if="$device" of=/dev/null bs=64k count=16 iflag=direct status=none 2> /dev/null; do :; done) & reader=$!
  sleep 1
  echo 1 > "/sys/block/${disk##*/}/device/delete"
  wait $reader || true
  refuses 'Input/output error|No such device|No data' dd if="$device" of=/dev/null bs=64k count=1 iflag=direct
  trial_ends t stop
}

case_bad_blocks_fail_alone() {
  modprobe null_blk nr_devices=0
  mkdir /sys/kernel/config/nullb/bad; at_end "rmdir /sys/kernel/config/nullb/bad"
  cd /sys/kernel/config/nullb/bad
  echo 1 > memory_backed; echo 16 > size; echo 1 > power; at_end "echo 0 > /sys/kernel/config/nullb/bad/power"
  # Kernels call it by its index, newer ones by the directory's name.
  local name; name=nullb$(cat index); [ ! -e /sys/block/bad ] || name=bad
  cd /work
  eventually 10 test -b "/dev/$name"
  serve "/dev/$name"
  echo +1000-1007 > /sys/kernel/config/nullb/bad/badblocks
  refuses 'Input/output error|No data available' dd if="$device" of=/dev/null bs=4096 skip=125 count=1 iflag=direct
  dd if="$device" of=piece bs=512 count=1000 iflag=direct status=none
  cmp -n 512000 data piece
  dd if="$device" of=piece bs=512 skip=1008 count=4000 iflag=direct status=none
  cmp -i $((1008 * 512)):0 -n $((4000 * 512)) data piece
  trial_ends t stop
}

case_what_was_synced_is_there_after_a_power_cut_at_any_mark() {
  local log i image=/dev/shm/replayed
  modprobe dm-log-writes
  disk=$(ram_disk 64); at_end "losetup -d $disk"
  log=$(ram_disk 400); at_end "losetup -d $log"
  echo "0 $(blockdev --getsz "$disk") log-writes $disk $log" | dm_create log$number; at_end "dmsetup remove --retry log$number"
  trial t --main "/dev/mapper/log$number" --number "$number"
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  for i in $(seq 1 12); do
    head -c $((i * 40000 + 7)) /dev/urandom > /mnt/a/$i; sync /mnt/a/$i
    sha256sum /mnt/a/$i > sum.$i
    dmsetup message log$number 0 mark synced-$i
  done
  umount /mnt/a
  trial_ends t stop
  dmsetup remove --retry log$number
  at_end "rm -f $image"
  for i in $(seq 1 12); do
    rm -f $image; truncate -s 64M $image
    echo "$i: $(perl /payload/guest/replay-log "$log" $image synced-$i) entries"
    mount -o loop -t ext4 $image /mnt/a
    for sum in $(seq 1 $i); do sha256sum -c -s sum.$sum || fail "file $sum is not whole after a power cut at mark $i"; done
    umount /mnt/a
    e2fsck -fn $image > fsck.out 2>&1 || { cat fsck.out; fail "ext4 is damaged after a power cut at mark $i"; }
  done
}

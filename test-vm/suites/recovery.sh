# about: the daemon is killed under load and started again: programs see a pause and no error (fio passes; with ext4 mounted I/O stays blocked: open)
# limit: 900
# case-limit: 400
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work

killed_and_back() {
  kill -9 "$trial_process" 2> /dev/null || true
  local name=$1; shift
  local begun; begun=$(cut -d' ' -f1 /proc/uptime)
  trial "$name" --main "$disk" --number "$number" --recover yes "$@"
  note "the device was away for $(echo "$(cut -d' ' -f1 /proc/uptime) $begun" | awk '{printf "%.1f", $1 - $2}') s, most of it a JVM's start"
}

case_fio_verifies_over_kills_of_the_daemon() {
  disk=$(ram_disk 128); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number" --queues 2 --depth 32
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=8 --numjobs=4 --size=16M --offset_increment=16M --rate_iops=20 \
    --rw=randwrite --bsrange=4k-64k --verify=crc32c --verify_backlog=32 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --time_based=1 --runtime=120 > fio.out 2>&1 &
  load=$!; at_end "kill -9 $load"
  for round in 1 2; do
    sleep 5
    kill -0 $load || { cat fio.out; fail "fio ended before kill $round: there was no load"; }
    killed_and_back "t$round"
  done
  wait $load || { cat fio.out; fail "fio saw an error or other bytes"; }
  same "$(grep -c 'err= 0' fio.out)" 4 "jobs without an error"
  trial_ends t2 stop
}

case_ext4_survives_a_kill() {
  disk=$(ram_disk 256); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number" --queues 2 --depth 32
  mkfs.ext4 -q -F "$device"; mkdir -p /mnt/a; mount -t ext4 "$device" /mnt/a; at_end "umount /mnt/a"
  (set -e; for i in $(seq 1 60); do head -c 300000 /dev/urandom > /mnt/a/$i; done; sync /mnt/a/60; echo done) > writer.out 2>&1 & writer=$!
  sleep 1
  killed_and_back t2
  wait $writer; same "$(tail -1 writer.out)" done
  (cd /mnt/a && sha256sum *) > before 2> /dev/null || true
  umount /mnt/a
  mount -t ext4 "$device" /mnt/a
  (cd /mnt/a && sha256sum *) > after 2> /dev/null || true
  cmp before after
  umount /mnt/a
  e2fsck -fn "$device" > fsck.out 2>&1 || { cat fsck.out; fail "ext4 is damaged"; }
  trial_ends t2 stop
}

case_a_planned_hand_over_is_not_noticed() {
  disk=$(ram_disk 64); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number"
  dd if=/dev/urandom of=data bs=1M count=8 status=none
  dd if=data of="$device" bs=1M oflag=direct status=none
  trial_ends t leave
  grep -q 'ENDED left=true' t.out
  dd if="$device" of=back bs=1M count=8 iflag=direct status=none & reader=$!
  trial t2 --main "$disk" --number "$number" --recover yes
  wait $reader
  cmp data back
  trial_ends t2 stop
}

case_another_device_under_the_number_is_not_taken() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  other=$(ram_disk 32); at_end "losetup -d $other"
  trial t --main "$disk" --number "$number"
  kill -9 "$trial_process" 2> /dev/null || true
  rm -f x.in; "${jvm[@]}" io.spared.ublk.UblkTrial --main "$other" --number "$number" --recover yes < /dev/null > x.out 2>&1 || true
  grep -q 'ENDED left=true.*remove it' x.out || { cat x.out; fail "took a device of another size"; }
  killed_and_back t2
  trial_ends t2 stop
}

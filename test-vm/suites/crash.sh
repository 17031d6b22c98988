# about: a queue or a frontend that crashes or cannot begin leaves nobody waiting and no device; which features the driver gives together
# limit: 700
# case-limit: 200
# sets: all

modprobe -a ublk_drv loop

gone() {
  [ ! -e "$device" ] || fail "$device is still there"
  [ ! -e /dev/ublkc$number ] || fail "/dev/ublkc$number is still there"
}

case_a_queue_that_crashes_fails_its_requests_and_its_device_goes() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  cd /work
  trial t --main "$disk" --number "$number" --queues 2
  (while dd if="$device" of=/dev/null bs=64k count=16 iflag=direct status=none; do :; done) 2> reader.out & reader=$!
  trial_ends t crash-queue
  grep -q '^ENDED left=false queue 0: it crashed' t.out || { cat t.out; fail "it does not say why"; }
  # By an error, not by waiting for ever.
  wait $reader; [ -s reader.out ]
  gone
}

case_a_frontend_that_crashes_writes_what_is_cached_and_its_device_goes() {
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  cd /work
  trial t --main "$disk" --number "$number" --queues 2
  # Held open, so that what is written stays in the cache when its writer has closed it; and the kernel does not write it by itself meanwhile.
  echo 600000 > /proc/sys/vm/dirty_expire_centisecs; echo 0 > /proc/sys/vm/dirty_writeback_centisecs
  exec 5< "$device"
  dd if=/dev/urandom of=data bs=1M count=4 status=none
  dd if=data of="$device" bs=64k conv=notrunc,nocreat status=none
  refuses differ cmp -n 4194304 data "$disk"
  trial_ends t crash-frontend
  exec 5<&-
  grep -q '^ENDED left=false its frontend crashed' t.out || { cat t.out; fail "it does not say why"; }
  gone
  echo 3 > /proc/sys/vm/drop_caches
  cmp -n 4194304 data "$disk" || { cat t.out; fail "what was cached was not written"; }
}

case_a_queue_that_cannot_begin_during_the_start_leaves_no_device() {
  [ "$(nproc)" -ge 2 ] || skip "one processor, one queue"
  disk=$(ram_disk 16); at_end "losetup -d $disk"
  cd /work
  device=/dev/ublkb$number
  trial_begins t --main "$disk" --number "$number" --queues 2 --refuse-queue 2
  eventually 150 grep -q '^ENDED left=false queue [01]: the trial refuses it' t.out || { cat t.out; fail "it does not end"; }
  gone
}

case_which_ublk_features_go_together() {
  eventually 5 test -c /dev/ublk-control
  "${jvm[@]}" io.spared.ffi.ublk.FeatureTrial > features || { cat features; fail "the driver did not answer"; }
  while read -r line; do note "$line"; done < features
  grep -q '^with USER_COPY: DONE' features
}

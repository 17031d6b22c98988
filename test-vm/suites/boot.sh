# about: the life of a machine with systemd and udev: boots, power cuts, hot-plug, many set-ups, damage; spared.service and the udev rules as installed
# limit: 3600
# sets: all
# kernels: newest
# root: full

# Runs on this machine and drives the guest (lib/machine.sh, guest/story.sh). The cases are one life: each goes on with the machine as the one before left it,
# since a boot of an emulated processor takes a minute; one that is chosen alone, or comes after a failure, begins with `installed`. Nothing asserts a time.

id=/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_
file_system=5eedfade-0000-4000-8000-000000000001

# in_guest COMMANDS: with time for a JVM or two under emulation.
in_guest() { guest -t 1800 "$1"; }

# The machine of the case before, or a new one.
lived() { is_on || case_installed; }

# What the guest has told on the console since a mark that was taken with `mark`.
mark() { stat -c %s "$directory/console.log"; }
told() { tail -c +$(($1 + 1)) "$directory/console.log" | tr -d '\r' | grep -a -o "$2.*"; }
told_times() { [ "$(told "$1" "$2" | wc -l)" -ge "$3" ]; }

case_installed() {
  install_machine
  local disk
  for disk in one two three four; do new_disk $disk-main 64; new_disk $disk-spare 32; plug $disk-main; plug $disk-spare; done
  mke2fs -q -t ext4 -U $file_system -L archive "$machine/disks/one-main"
  switch_on
  guest "udevadm verify /usr/lib/udev/rules.d/61-spared.rules
    systemd-analyze verify --man=no spared.service > verify 2>&1; cat verify; test ! -s verify
    udevadm settle; test /dev/disk/by-uuid/$file_system -ef ${id}one-main || fail 'an ordinary disk has the link of its file system'"
  # Four set-ups: three that the configuration names, one of them over a disk that can be made to fail, and one for discovery alone.
  in_guest "for name in one two three four; do spared create \$name --main $id\$name-main --spare $id\$name-spare & done; wait
    device() { echo \"\$1 { main = \\\"\$2$id\$1-main\\\", spares = [\\\"$id\$1-spare\\\"], frontend = ublk, ublk.number = \$3 }\"; }
    printf 'spared {\n nbd.listen = []\n discovery.activate = true\n devices {\n %s\n %s\n %s\n }\n}\n' \"\$(device one '' 0)\" \"\$(device two fault: 1)\" \"\$(device three '' 2)\" > /etc/spared/spared.conf
    mkdir /data; echo 'UUID=$file_system /data ext4 defaults,x-systemd.after=spared.service 0 2' >> /etc/fstab
    systemctl enable spared.service 2>&1; systemctl daemon-reload
    systemctl start --no-block spared.service"
  in_guest "for number in 0 1 2; do eventually 600 served \$number; done
    eventually 400 is four 'state +active'
    # Adopting it takes its links, though udev had seen it before.
    adopted() { udevadm info -q property ${id}one-main > properties; grep -qx ID_SPARED_ROLE=adopted properties; }
    eventually 60 adopted || { ls -l /var/lib/spared/adopted; cat properties; fail 'main is not known as adopted'; }
    grep -x SYSTEMD_READY=0 properties; grep -x ID_FS_TYPE=spared_member properties
    ! grep -E '^DEVLINKS=.*by-(uuid|label)' properties || fail 'main has the links of its file system'
    udevadm info -q property ${id}one-spare > properties; grep -x SYSTEMD_READY=0 properties; grep -x ID_SPARED_ROLE=spare properties
    test /dev/disk/by-uuid/$file_system -ef /dev/ublkb0 || fail 'the link of the file system does not lead to the device'
    grep '^VmLck:.*[1-9]' /proc/\$(systemctl show -P MainPID spared)/status || fail 'no memory is locked'
    ask GET /v1/threads | grep 'flag: all .* threads have it' || { ask GET /v1/threads; fail 'threads without the I/O-flusher flag'; }"
  # An orderly end with everything in use.
  in_guest "systemctl start data.mount; head -c 1000000 /dev/urandom > /data/before; sha256sum < /data/before > /root/before"
}

case_devices_are_up_before_what_needs_them() {
  lived
  reboot_machine
  in_guest "systemctl is-system-running --wait || { systemctl --failed; fail 'not everything came up'; }
    findmnt -no SOURCE /data | grep -x /dev/ublkb0
    sha256sum < /data/before | cmp - /root/before
    ! dmesg | grep -i 'ublkb0.*recover' || fail 'the file system was not unmounted before the daemon stopped'
    for number in 0 1 2; do eventually 400 served \$number; done; eventually 400 is four 'state +active'
    # udev knew the adopted disk before the daemon began.
    udevadm info -q property ${id}one-main > properties; grep -x ID_SPARED_ROLE=adopted properties; ! grep -E '^DEVLINKS=.*by-(uuid|label)' properties || fail 'main has the links of its file system'
    # Each set-up once.
    ask GET /v1/devices; ls /dev/ublkb*; test \"\$(ls /dev/ublkb* | wc -l)\" = 3; test \"\$(ask GET '/v1/devices?view=names' | grep -cE '^(one|two|three|four)')\" = 4"
}

case_a_killed_daemon_is_started_again_under_a_mounted_file_system() {
  lived
  in_guest "first=\$(systemctl show -P MainPID spared); kill -9 \$first
    head -c 300000 /dev/urandom > /data/meanwhile; sync /data/meanwhile
    test \$(systemctl show -P MainPID spared) != \$first
    findmnt -no SOURCE /data | grep -x /dev/ublkb0; eventually 600 served 2; eventually 600 is four 'state +active'
    # Nor did systemd try to take the file system away from those who use it.
    ! journalctl -b -o cat -u data.mount | grep -i unmount || fail 'systemd unmounts a file system because its daemon is started again'"
}

case_a_restart_of_the_service_is_not_noticed_and_a_shutdown_loses_nothing() {
  lived
  in_guest "eventually 600 served 0; first=\$(systemctl show -P MainPID spared)
    (n=0; while [ ! -e /run/enough ]; do n=\$((n + 1)); head -c 100000 /dev/urandom > /data/w\$((n % 8)) && sync /data/w\$((n % 8)) || exit 1; done; echo \$n > /run/written) > /run/writer 2>&1 & writer=\$!
    systemctl restart spared
    test \$(systemctl show -P MainPID spared) != \$first
    said '/dev/ublkb0 is in use, mounted at /data, and is left'
    eventually 600 sh -c 'head -c 100000 /dev/urandom > /data/after && sync /data/after'
    touch /run/enough; wait \$writer || { cat /run/writer; fail 'the writer saw an error'; }
    cat /run/written; findmnt -no SOURCE /data | grep -x /dev/ublkb0
    ! dmesg | grep -iE 'I/O error.*ublkb0|EXT4-fs error' || fail 'the kernel saw an error'
    for number in 0 1 2; do eventually 600 served \$number; done; eventually 600 is four 'state +active'
    # A file system that nobody ordered after the service, with something that is not written yet.
    mkfs.ext4 -q -F /dev/ublkb2; mkdir -p /hand; mount /dev/ublkb2 /hand; head -c 1000000 /dev/urandom > /hand/file; sha256sum < /hand/file > /root/hand
    # A device that is in use until the machine's very end, which no unit takes away before: another one is built on it. Something is not written yet here too.
    modprobe dm-mod; echo \"0 \$(blockdev --getsz /dev/ublkb1) linear /dev/ublkb1 0\" | dmsetup create --noudevsync held
    echo 0 > /proc/sys/vm/dirty_writeback_centisecs
    head -c 1000000 /dev/urandom > /root/held; dd if=/root/held of=/dev/ublkb1 bs=64k seek=700 conv=notrunc,nocreat status=none
    ls /sys/block/ublkb1/holders | grep dm"
  local since; since=$(mark)
  reboot_machine
  told_times "$since" 'the machine goes down: block devices are removed, also where they are in use' 1 || fail "the daemon does not say that it removes what is in use"
  ! told "$since" '/dev/ublkb1 is in use.*is left' || fail "the device was left though the machine goes down"
  in_guest "systemctl is-system-running --wait || { systemctl --failed; fail 'not everything came up'; }
    eventually 600 served 2; mount /dev/ublkb2 /hand; sha256sum < /hand/file | cmp - /root/hand || fail 'what was written before the shutdown is lost'
    umount /hand; e2fsck -fn /dev/ublkb2
    eventually 600 served 1; dd if=/dev/ublkb1 bs=64k skip=700 count=16 iflag=direct status=none | head -c 1000000 | cmp - /root/held || fail 'what was cached of a device in use is lost'"
}

case_a_power_cut_during_writes_and_commits_loses_nothing() {
  lived
  local since; since=$(mark)
  # Every write to this part of main fails, so each block that is written is moved, by a commit of its own.
  in_guest "spared fault two main write fail=EIO range=1M+16M
    (writes /data) > /dev/null 2>&1 & (writes_blocks /dev/ublkb1 256) > /dev/null 2>&1 & sleep 0"
  eventually 600 told_times "$since" DURABLE 8
  eventually 600 told_times "$since" MOVED 8
  switch_off
  told "$since" "DURABLE file" | sed -n 's/^DURABLE \(file[0-9]*\) \([0-9a-f]\{64\}\)$/\2  \1/p' > "$machine/files"
  told "$since" "MOVED" | sed -n 's/^MOVED \([0-9]* [0-9a-f]\{64\}\)$/\1/p' > "$machine/blocks"
  switch_on
  in_guest "systemctl is-system-running --wait || { systemctl --failed; fail 'not everything came up'; }
    cd /data; echo '$(base64 -w0 < "$machine/files")' | base64 -d | sha256sum -c --quiet; sha256sum < before | cmp - /root/before
    eventually 600 served 1
    echo '$(base64 -w0 < "$machine/blocks")' | base64 -d > /root/blocks
    while read -r number sum; do
      test \"\$(dd if=/dev/ublkb1 bs=4096 skip=\$number count=1 iflag=direct status=none | sha256sum | cut -d' ' -f1)\" = \$sum || fail \"block \$number\"
    done < /root/blocks
    remaps=\$(status two | sed -n 's/^remaps *\([0-9]*\) .*/\1/p'); test \$remaps -ge \$(wc -l < /root/blocks) || { status two; fail 'fewer remaps than were acknowledged'; }"
  note "$(wc -l < "$machine/files") files and $(wc -l < "$machine/blocks") moved blocks were acknowledged before the power was cut"
}

case_disks_that_are_pulled_out_under_load_and_come_back_in_either_order() {
  lived
  in_guest "eventually 600 served 2; head -c 4M /dev/urandom > /root/data; dd if=/root/data of=/dev/ublkb2 bs=64k oflag=direct conv=fsync status=none
    (while dd if=/root/data of=/dev/ublkb2 bs=64k oflag=direct conv=fsync status=none; do :; done; echo 'LOAD ENDED' > /dev/ttyS0) > /dev/null 2>&1 & sleep 0"
  local since; since=$(mark)
  pull three-main
  eventually 600 told_times "$since" "LOAD ENDED" 1
  in_guest "eventually 600 is three 'main.*(away|gone|lost|absent|missing|failed)|state +(failed|degraded)' || { status three; false; }; status three
    is one 'state +active'; touch /data/still; sync /data/still"
  pull three-spare
  # Both back, the spare first.
  plug three-spare; plug three-main
  in_guest "eventually 60 test -b ${id}three-main; eventually 60 test -b ${id}three-spare
    # A flush had failed, so it does not go on by itself: a person decides.
    is three 'state +degraded' && is three 'until the device is started again' || { status three; fail 'it does not say what it waits for'; }
    spared stop three --force; spared start three; eventually 600 is three 'state +active'; eventually 600 served 2
    dd if=/dev/ublkb2 bs=64k count=64 iflag=direct status=none | cmp - /root/data"
  # Main first, for a set-up that only discovery knows; its daemon sees both come.
  in_guest "spared stop four; spared remove four"
  pull four-spare; pull four-main
  plug four-main; plug four-spare
  in_guest "eventually 600 is four 'state +active' || { ask GET /v1/discovery; false; }"
}

case_a_stop_in_the_middle_of_activation_leaves_nothing_behind() {
  lived
  local round
  for round in 1 2; do
    in_guest "systemctl stop data.mount spared.service; ! ls /dev/ublkb* 2> /dev/null || fail 'block devices without a daemon'
      systemctl start --no-block spared.service
      eventually 600 test -S /run/spared/control.sock
      $([ $round = 1 ] || echo "eventually 600 sh -c 'ls /dev/ublkc[0-9]*'")
      systemctl stop spared.service
      test \"\$(systemctl show -P Result spared)\" = success || { systemctl status --no-pager spared; fail 'the stop failed'; }
      ! ls /dev/ublk[bc][0-9]* 2> /dev/null || fail 'block devices without a daemon'"
  done
  # And of the whole machine.
  in_guest "systemctl start --no-block spared.service; eventually 600 test -S /run/spared/control.sock"
  reboot_machine
  in_guest "systemctl is-system-running --wait || { systemctl --failed; fail 'not everything came up'; }
    findmnt -no SOURCE /data | grep -x /dev/ublkb0; sha256sum < /data/before | cmp - /root/before
    for number in 0 1 2; do eventually 400 served \$number; done; eventually 400 is four 'state +active'
    test \"\$(ls /dev/ublkb* | wc -l)\" = 3"
}

case_damage_is_repaired_or_refused_and_doubt_waits() {
  lived
  power_off
  ctl corrupt "$machine/disks/one-spare" --copies 1
  ctl corrupt "$machine/disks/three-spare" --copies 0,1,2,3,4
  # A main disk that is by nothing but its size the one that was there.
  pull four-main; new_disk stranger 64; cat "$machine/disks/four-main" > "$machine/disks/stranger"; plug stranger
  switch_on
  in_guest "findmnt -no SOURCE /data | grep -x /dev/ublkb0 || eventually 600 findmnt /data
    eventually 600 is one 'copies +5 of 5' || { status one; fail 'the copy was not repaired'; }
    sha256sum < /data/before | cmp - /root/before
    eventually 600 is three 'state +failed' || { status three; fail 'it does not refuse'; }
    status three; ! test -b /dev/ublkb2 || fail 'it is served'
    ask POST /v1/discovery '{\"activate\": true}' > found; cat found; grep -E '^four.*(wait|forbid)' found
    ! ask GET /v1/devices | grep '^four' || fail 'it was activated in doubt'"
  power_off
  [ "$(ctl check "$machine/disks/one-spare" | grep -c healthy)" -ge 1 ] || { ctl check "$machine/disks/one-spare"; fail "not healthy"; }
}

ctl() { "$top/app/target/dist/bin/spared" ctl "$@"; }

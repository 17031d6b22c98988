# about: the life of a machine with systemd and udev: boots, power cuts, hot-plug, many set-ups, damage; spared.service and the udev rules as installed
# limit: 3600
# sets: all
# kernels: newest
# root: full

# Runs on this machine and drives the guest (lib/machine.sh).

id=/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_
file_system=5eedfade-0000-4000-8000-000000000001

# An emulated processor is slow, and so slow that nothing here asserts a time.
patience=400

# In the guest: waits until a device is served, or is in a state.
served() { guest -t $patience "eventually $((patience - 50)) test -b /dev/ublkb$1"; }

case_installed() {
  install_machine
  new_disk main1 64; mke2fs -q -t ext4 -U $file_system -L archive "$machine/disks/main1"
  new_disk spare1 32
  plug main1; plug spare1
  switch_on
  # The links of an ordinary disk, before it is one of spared's.
  guest "udevadm settle; test /dev/disk/by-uuid/$file_system -ef ${id}main1"
  guest "udevadm verify --resolve-names=late /usr/lib/udev/rules.d/61-spared.rules; systemd-analyze verify --man=no spared.service > /tmp/said 2>&1; cat /tmp/said; test ! -s /tmp/said"
  guest -t $patience "spared=/opt/spared/bin/spared
    \$spared ctl create one --main ${id}main1 --spare ${id}spare1
    printf 'spared {\n nbd.listen = []\n discovery.activate = true\n devices { one { main = \"${id}main1\", spares = [\"${id}spare1\"], frontend = ublk, ublk.number = 0 } }\n}\n' > /etc/spared/spared.conf
    systemctl enable spared.service 2>&1
    systemctl --no-block start spared.service"
  served 0
  guest "mkdir -p /data; mount /dev/ublkb0 /data; umount /data; udevadm settle
    test /dev/disk/by-uuid/$file_system -ef /dev/ublkb0 || fail \"the file system's link does not lead to the device\"
    udevadm info -q property ${id}spare1 > properties; grep -qx SYSTEMD_READY=0 properties; grep -qx ID_SPARED_ROLE=spare properties
    spared=/opt/spared/bin/spared
    grep -q '^VmLck:.*[1-9]' /proc/\$(systemctl show -P MainPID spared)/status || fail 'no memory is locked'
    \$spared ctl threads > threads; grep 'flag: all .* threads have it' threads || { cat threads; fail 'threads without the I/O-flusher flag'; }"
  power_off
}

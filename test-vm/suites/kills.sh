# about: kills of the daemon, many (SPARED_VM_ROUNDS, else 100), under fio and under a mounted ext4, and how long the device was away
# limit: 14400
# case-limit: 7000
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work
. /payload/guest/kills.sh
rounds=$(< /payload/rounds)

case_ext4_over_many_kills() { mounted_over_kills ext4 "e2fsck -fn" "$rounds" mkfs.ext4 -q -F; }

case_fio_verifies_over_many_kills() { fio_over_kills "$rounds"; }

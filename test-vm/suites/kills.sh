# about: two hundred kills of the daemon under fio and under a mounted ext4, and how long the device was away
# limit: 14400
# case-limit: 7000
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work
. /payload/guest/kills.sh
rounds=${rounds:-100}

case_ext4_over_a_hundred_kills() { mounted_over_kills ext4 "e2fsck -fn" $rounds mkfs.ext4 -q -F; }

case_fio_verifies_over_a_hundred_kills() { fio_over_kills $rounds; }

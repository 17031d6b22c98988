# about: ext4, xfs and btrfs keep what was written into them, over an unmount and over kills of the daemon
# limit: 1500
# case-limit: 300
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work
. /payload/guest/files.sh
. /payload/guest/kills.sh

serve() {
  disk=$(ram_disk "$1"); at_end "losetup -d $disk"
  trial t --main "$disk" --number "$number" "${@:2}"
}

keeps_files() {
  serve 320 --queues 2 --depth 64
  file_system_keeps_its_files "$@"
  trial_ends t stop
}

case_ext4_keeps_its_files() { keeps_files ext4 "e2fsck -fn" mkfs.ext4 -q -F; }
case_xfs_keeps_its_files() { modprobe xfs; keeps_files xfs "xfs_repair -n" mkfs.xfs -q -f; }
case_btrfs_keeps_its_files() { modprobe btrfs; keeps_files btrfs "btrfs check" mkfs.btrfs -q -f; }
case_ext4_over_kills() { mounted_over_kills ext4 "e2fsck -fn" 2 mkfs.ext4 -q -F; }
case_xfs_over_kills() { mounted_over_kills xfs "xfs_repair -n" 2 mkfs.xfs -q -f; }
case_btrfs_over_kills() { mounted_over_kills btrfs "btrfs check" 2 mkfs.btrfs -q -f; }

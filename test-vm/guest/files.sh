# What the suites about file systems share.

sums_of() { (cd "$1" && find . -type f | sort | xargs sha256sum); }

# file_system_keeps_its_files KIND CHECK MKFS…: makes one on $device, fills it, unmounts, mounts again, compares, checks it.
file_system_keeps_its_files() {
  local kind=$1 check=$2 i; shift 2
  "$@" "$device" > mkfs.out 2>&1 || { cat mkfs.out; fail "mkfs"; }
  mkdir -p /mnt/a; mount -t "$kind" "$device" /mnt/a; at_end "umount /mnt/a"
  mkdir /mnt/a/d
  for i in $(seq 1 40); do head -c $((i * 37000)) /dev/urandom > "/mnt/a/d/$i"; done
  cp -r /payload/guest /mnt/a/guest
  sums_of /mnt/a > before
  umount /mnt/a
  echo 3 > /proc/sys/vm/drop_caches
  mount -t "$kind" "$device" /mnt/a
  sums_of /mnt/a > after
  cmp before after
  umount /mnt/a
  $check "$device" > fsck.out 2>&1 || { cat fsck.out; fail "$kind is damaged"; }
}

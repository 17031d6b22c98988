# about: the kernel's NBD client over two connections: ext4, xfs and btrfs keep their files, fio verifies
# limit: 900
# case-limit: 400
# sets: all
# memory: 3072

modprobe -a nbd loop
cd /work
. /payload/guest/files.sh
device=/dev/nbd0

# serve NAME: the real frontend over $disk, in the background; its process in $server.
serve() {
  rm -f "$1.in"; mkfifo "$1.in"
  sleep 100000 > "$1.in" & at_end "kill $!"
  "${jvm[@]}" io.spared.nbd.NbdTrial --disk "$disk" --socket /work/nbd.sock < "$1.in" > "$1.out" 2>&1 &
  server=$!; at_end "kill -9 $server"
  eventually 200 grep -q '^SERVING' "$1.out" || { cat "$1.out"; fail "it does not serve"; }
}

connect() {
  nbd-client -unix /work/nbd.sock "$device" -N disk -b 512 "$@" > client.out 2>&1 || { cat client.out; fail "nbd-client"; }
  at_end "nbd-client -d $device"
  eventually 20 sh -c "[ \"\$(blockdev --getsize64 $device)\" = \"\$(blockdev --getsize64 $disk)\" ]"
}

make() {
  disk=$(ram_disk "$1"); at_end "losetup -d $disk"
}

keeps_files() {
  make 320; serve s; connect -C 2
  file_system_keeps_its_files "$@"
  nbd-client -d "$device" > /dev/null
  kill "$server"; wait "$server" 2> /dev/null || true
  # What the server wrote is on the disk below, for a reader who knows nothing of NBD.
  $2 "$disk" > fsck.out 2>&1 || { cat fsck.out; fail "$1 is damaged below"; }
}

case_ext4_keeps_its_files() { keeps_files ext4 "e2fsck -fn" mkfs.ext4 -q -F; }
case_xfs_keeps_its_files() { modprobe xfs; keeps_files xfs "xfs_repair -n" mkfs.xfs -q -f; }
case_btrfs_keeps_its_files() { modprobe btrfs; keeps_files btrfs "btrfs check" mkfs.btrfs -q -f; }

case_fio_verifies_and_zeroes_touch_no_other_byte() {
  make 96; serve s; connect -C 2
  fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=16 --numjobs=4 --size=16M --offset_increment=16M \
    --rw=randwrite --bsrange=512-256k --blockalign=512 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
    --serialize_overlap=1 --group_reporting > fio.out 2>&1 || { cat fio.out; fail "fio found other bytes than it wrote"; }
  head -c $((8 << 20)) /dev/urandom > expected
  dd if=expected of="$device" bs=1M oflag=direct status=none
  blkdiscard -z -o 1048576 -l 262144 "$device"
  dd if=/dev/zero of=expected bs=4096 seek=256 count=64 conv=notrunc status=none
  blkdiscard -o $((16 << 20)) -l $((1 << 20)) "$device"
  dd if="$device" of=found bs=1M count=8 iflag=direct status=none
  cmp expected found
}

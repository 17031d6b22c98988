# about: the daemon serves a device as a block device, remaps below it, dies and takes it back (not seen green yet)
# limit: 900
# case-limit: 420
# sets: all
# memory: 3072

modprobe -a ublk_drv loop
cd /work

spared() { "${jvm[@]}" io.spared.app.Main "$@"; }

start_daemon() {
  spared daemon --config /work/spared.conf > "$1.out" 2>&1 &
  daemon=$!; at_end "kill -9 $daemon"
  eventually 200 grep -q 'is served as /dev/ublkb' "$1.out" || { cat "$1.out"; fail "it does not serve"; }
  device=$(sed -n 's/.*is served as \(.dev.ublkb[0-9]*\).*/\1/p' "$1.out" | tail -1)
}

case_a_remap_a_kill_and_a_stop() {
  main=$(ram_disk 64); at_end "losetup -d $main"
  spare=$(ram_disk 32); at_end "losetup -d $spare"
  cat > spared.conf <<C
spared {
  data-directory = "/work/data"
  control.socket = "/work/control.sock"
  nbd.listen = []
  devices { trial { main = "fault:$main", spares = ["$spare"], frontend = "ublk" } }
}
C
  mkdir -p data
  spared ctl create trial --main "$main" --spare "$spare" > create.out 2>&1 || { cat create.out; fail "create"; }
  start_daemon one
  dd if=/dev/urandom of=data.bin bs=1M count=4 status=none
  dd if=data.bin of="$device" bs=64k oflag=direct status=none
  spared ctl --socket /work/control.sock fault trial main write fail=EIO range=1M+4K > fault.out 2>&1 || { cat fault.out; fail "fault"; }
  dd if=/dev/urandom of=block bs=4096 count=1 status=none
  dd if=block of="$device" bs=4096 seek=256 count=1 oflag=direct status=none
  dd if=block of=data.bin bs=4096 seek=256 count=1 conv=notrunc status=none
  dd if="$device" of=back bs=64k count=64 iflag=direct status=none
  cmp data.bin back
  kill -9 "$daemon"
  start_daemon two
  dd if="$device" of=back bs=64k count=64 iflag=direct status=none
  cmp data.bin back
  # The block lives on the spare now: main has the old bytes there.
  dd if="$main" of=below bs=4096 skip=256 count=1 iflag=direct status=none
  refuses differ cmp block below
  kill "$daemon"
  eventually 60 sh -c "[ ! -e $device ]"
}

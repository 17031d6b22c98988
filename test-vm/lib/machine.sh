# A whole machine for suites with "root: full": Debian with systemd and udev, and the image of spared installed in it, driven from here. It can be rebooted,
# cut from power, and have disks plugged in and pulled out; its root and its disks are files in $machine and outlive the guest.

# --- the machine itself

# Only the first compiler, and the start-up cache at the address that it was made for: moving it costs half a minute.
emulated_java_options="-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0"

# install_machine: a new root file system with everything in it, switched off, no disks.
install_machine() {
  switch_off
  rm -rf "$machine"; mkdir -p "$machine/disks"; : > "$machine/plugged"
  local tree=$machine/tree dist=$top/app/target/dist
  cp -al "$full_root" "$tree"
  # As docs/operating/boot.md tells an operator: all from the image.
  mkdir -p "$tree"/opt "$tree"/etc/spared "$tree"/var/lib/spared
  cp -al "$dist" "$tree/opt/spared"
  install -D -m 644 "$dist/deploy/spared.service" "$tree/usr/lib/systemd/system/spared.service"
  install -D -m 644 "$dist/deploy/udev/61-spared.rules" "$tree/usr/lib/udev/rules.d/61-spared.rules"
  install -D -m 755 "$dist/deploy/udev/disk-role" "$tree/usr/lib/spared/disk-role"
  install -D -m 644 "$dist/deploy/man/spared.8" "$tree/usr/share/man/man8/spared.8"
  printf 'spared {\n  discovery.activate = true\n  nbd.listen = []\n}\n' > "$tree/etc/spared/spared.conf"
  mkdir -p "$tree/etc/systemd/system/sysinit.target.wants" "$tree/etc/systemd/system/spared.service.d"
  # An emulated processor takes up to 25 times as long.
  printf '[Service]\nTimeoutStartSec=600\nTimeoutStopSec=300\nWatchdogSec=300\nEnvironment="SPARED_JAVA_OPTIONS=%s"\n' "$emulated_java_options" > "$tree/etc/systemd/system/spared.service.d/slow.conf"
  mkdir -p "$tree/usr/local/lib/test"
  cp "$here/guest/agent" "$here/guest/checks.sh" "$here/guest/story.sh" "$tree/usr/local/lib/test/"
  cp "$here/guest/agent.service" "$tree/etc/systemd/system/"
  ln -s ../agent.service "$tree/etc/systemd/system/sysinit.target.wants/"
  od -An -tx8 -N16 /dev/urandom | tr -d ' \n' > "$tree/etc/machine-id"; echo >> "$tree/etc/machine-id"
  truncate -s $(($(du -sm "$tree" | cut -f1) * 110 / 100 + 200))M "$machine/root.ext4"
  mke2fs -q -t ext4 -m 0 -d "$tree" "$machine/root.ext4"; rm -rf "$tree"
}

# switch_on [KERNEL-ARGUMENT…]: starts it with the disks that are plugged in, and waits until it listens.
switch_on() {
  local line name device disks=()
  rm -f "$machine"/{agent,qmp}.{in,out}; mkfifo "$machine"/{agent,qmp}.{in,out}
  while read -r name device; do
    disks+=(-blockdev "driver=raw,node-name=$name,file.driver=file,file.filename=$machine/disks/$name" -device "$device,drive=$name,id=$name")
  done < "$machine/plugged"
  nice -n "${SPARED_VM_NICE:-0}" "${qemu[@]}" -machine q35 -accel "$acceleration" -cpu "$processor" -smp "${SPARED_VM_PROCESSORS:-2}" -m 2048 -nodefaults -no-user-config -display none \
    -kernel "$kernel_image" -initrd "$kernel_initramfs" -append "console=ttyS0 loglevel=5 panic=-1 mitigations=off systemd.show_status=0 $*" \
    -chardev "file,id=console,path=$directory/console.log,append=on" -serial chardev:console -chardev "pipe,id=agent,path=$machine/agent" -serial chardev:agent \
    -chardev "pipe,id=qmp,path=$machine/qmp" -mon chardev=qmp,mode=control -device virtio-rng-pci -device virtio-scsi-pci,id=scsi \
    -drive "if=none,id=root,file=$machine/root.ext4,format=raw" -device virtio-blk-pci,drive=root,serial=root "${disks[@]}" > "$directory/qemu.log" 2>&1 < /dev/null 9>&- &
  echo $! > "$machine/process"
  qmp qmp_capabilities
  listens
}

# It is up so far that it carries out commands: after switch_on, and after a reboot.
listens() {
  local line
  exec 6<> "$machine/agent.out"
  until [[ ${line:-} == AGENT* ]]; do
    IFS= read -r -t 120 line <&6 || { exec 6<&-; fail "the machine does not come up"; }
  done
  exec 6<&-
}

is_on() { [ -s "$machine/process" ] && kill -0 "$(< "$machine/process")" 2> /dev/null; }

# The power is cut.
switch_off() {
  if is_on; then
    kill -KILL "$(< "$machine/process")"
    while is_on; do sleep 0.05; done
  fi
  rm -f "$machine/process"
}

# power_off: an orderly one.
power_off() {
  guest "systemctl --no-block poweroff"
  eventually "${1:-120}" not_on
}
not_on() { ! is_on; }

# reboot_machine: an orderly one.
reboot_machine() {
  guest "systemctl --no-block reboot"
  listens
}

# guest [-t SECONDS] COMMANDS: carries them out in the guest as a script that ends at the first failing command; prints what it prints; its status.
guest() {
  local limit=120 number=$RANDOM$RANDOM line status printed
  if [ "$1" = -t ]; then limit=$2; shift 2; fi
  exec 5<> "$machine/agent.in" 6<> "$machine/agent.out"
  echo "$number $(base64 -w0 <<< "$1")" >&5
  while :; do
    IFS= read -r -t "$limit" line <&6 || { exec 5>&- 6<&-; echo "no answer within $limit s to: $1" >&2; return 124; }
    read -r line number_said status printed <<< "${line%$'\r'}"
    if [ "$line" = DONE ] && [ "$number_said" = "$number" ]; then break; fi
  done
  exec 5>&- 6<&-
  base64 -d <<< "$printed"
  return "$status"
}

# qmp COMMAND [ARGUMENTS-AS-JSON]: fails when QEMU refuses.
qmp() {
  local line
  exec 7<> "$machine/qmp.in" 8<> "$machine/qmp.out"
  echo "{\"execute\":\"$1\"${2:+,\"arguments\":$2}}" >&7
  while :; do
    IFS= read -r -t 30 line <&8 || { exec 7>&- 8<&-; echo "QEMU does not answer: $(tail -3 "$directory/qemu.log")" >&2; return 1; }
    case $line in
      *'"return"'*) exec 7>&- 8<&-; return 0 ;;
      *'"error"'*) exec 7>&- 8<&-; echo "QEMU: $line" >&2; return 1 ;;
    esac
  done
}

# --- its disks, each with a name that is its serial number too; in the guest /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_NAME, or virtio-NAME

# new_disk NAME MIB [virtio]: in a drawer, not plugged in.
new_disk() { truncate -s "$2M" "$machine/disks/$1"; if [ "${3:-}" = virtio ]; then echo virtio > "$machine/disks/.$1"; fi; }

# plug NAME, pull NAME: also while the machine runs.
plug() {
  local kind=scsi-hd,bus=scsi.0,serial=$1
  if [ -e "$machine/disks/.$1" ]; then kind=virtio-blk-pci,serial=$1; fi
  echo "$1 $kind" >> "$machine/plugged"
  is_on || return 0
  [ ! -e "$machine/disks/.$1" ] || fail "virtio disks are plugged in while the machine is off"
  qmp blockdev-add "{\"driver\":\"raw\",\"node-name\":\"$1\",\"file\":{\"driver\":\"file\",\"filename\":\"$machine/disks/$1\"}}"
  qmp device_add "{\"driver\":\"scsi-hd\",\"bus\":\"scsi.0\",\"drive\":\"$1\",\"id\":\"$1\",\"serial\":\"$1\"}"
}

pull() {
  sed -i "/^$1 /d" "$machine/plugged"
  is_on || return 0
  qmp device_del "{\"id\":\"$1\"}"
  eventually 30 qmp blockdev-del "{\"node-name\":\"$1\"}"
}

# --- running a suite

# run_machine KERNEL SUITE CASES DIRECTORY: as `boot` does for suites that run in the guest.
run_machine() {
  local kernel=$1 suite=$2 chosen=$3 file=$here/suites/$2.sh name status begun why failures=0 total=0 body= said
  directory=$4
  rm -rf "$directory"; mkdir -p "$directory"; : > "$directory/console.log"
  . "$here/guest/checks.sh"; . "$here/guest/verdict.sh"
  for name in $(sed -n 's/^case_\([a-zA-Z0-9_]*\)().*/\1/p' "$file"); do
    if [ -n "$chosen" ] && ! grep -qw "$name" <<< "$chosen"; then continue; fi
    total=$((total + 1)); begun=$SECONDS; said=$(stat -c %s "$directory/console.log")
    # A failing command ends the case; its time limit is kept by the limits of what it waits for.
    (
      set -eE -o pipefail
      trap 'echo "line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND: status $?" >&2' ERR
      . "$file"
      "case_$name"
    ) > "$directory/$name.log" 2>&1 < /dev/null
    status=$?
    tail -c +$((said + 1)) "$directory/console.log" | tr -d '\r' > "$directory/$name.console.log"
    why=; [ $status = 0 ] || why="failed with status $status"
    said=$(grep -a -E "$wrong" "$directory/$name.console.log" | head -3)
    if [ -n "$said" ]; then why="the kernel complained: $said"; fi
    body+="  <testcase classname=\"test-vm.$suite\" name=\"$name\" time=\"$((SECONDS - begun))\">"
    if [ -n "$why" ]; then
      failures=$((failures + 1)); echo "  FAIL $name ($((SECONDS - begun)) s): $why"; tail -25 "$directory/$name.log" | sed 's/^/    | /'; tail -12 "$directory/$name.console.log" | sed 's/^/    k /'
      body+="<failure message=\"$(escape <<< "$why")\">$(tail -60 "$directory/$name.log" | escape)</failure>"
      # What a failed case leaves behind is nobody's to build on.
      switch_off; rm -rf "$machine"
    else
      echo "  ok   $name ($((SECONDS - begun)) s)"; grep '^note: ' "$directory/$name.log" | sed 's/^/         /'
    fi
    body+="</testcase>"$'\n'
  done
  switch_off; [ -n "${SPARED_VM_KEEP:-}" ] || rm -rf "$machine"
  {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo "<testsuite name=\"test-vm.$suite.$kernel_version\" tests=\"$total\" failures=\"$failures\" errors=\"0\">"
    printf '%s' "$body"
    echo '</testsuite>'
  } > "$directory/junit.xml"
  [ "$total" -gt 0 ] || { echo "  no such case in $suite"; return 3; }
  [ "$failures" = 0 ]
}

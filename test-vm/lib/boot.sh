# Boots a guest and brings its results back.

# payload: everything of the project's own that the guest needs, on a read-only disk.
build_payload() {
  local suite=$1 cases=$2 to=$3 tree; tree=$(mktemp -d "$cache/payload.XXXXXX")
  cp -r "$here/guest" "$here/suites" "$here/shims" "$tree/"
  echo "$suite" > "$tree/suite"; echo "$cases" > "$tree/cases"; echo "${SPARED_VM_ROUNDS:-100}" > "$tree/rounds"
  cp -rp "$jars" "$tree/jars"
  echo "${jvm_flags[*]}" > "$tree/jvm-flags"
  local module
  cp "$top/app/src/dist/with-flusher" "$tree/"
  for module in conf deploy; do [ ! -d "$top/$module" ] || cp -r "$top/$module" "$tree/$module"; done
  truncate -s $(($(du -sm "$tree" | cut -f1) * 3 / 2 + 16))M "$to"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$to"
  rm -rf "$tree"
}

# boot NAME=kernel SUITE CASES DIRECTORY: runs the suite, leaves console.log, junit.xml and logs in DIRECTORY; the status is the suite's.
boot() {
  local name=$1 suite=$2 cases=$3 directory=$4 file=$here/suites/$2.sh limit memory input=/dev/null
  rm -rf "$directory"; mkdir -p "$directory"
  limit=$(sed -n 's/^# limit: *//p' "$file" 2> /dev/null | head -1); memory=$(sed -n 's/^# memory: *//p' "$file" 2> /dev/null | head -1)
  local payload=$directory/payload.ext4 results=$directory/results.tar
  build_payload "$suite" "$cases" "$payload"; truncate -s 64M "$results"
  local command=("${qemu[@]}" -machine q35 -accel "$acceleration" -cpu "$processor" -smp "${SPARED_VM_PROCESSORS:-2}" -m "${memory:-2048}" -nodefaults -no-user-config
    -display none -serial stdio -no-reboot -kernel "$kernel_image" -initrd "$kernel_initramfs"
    -append "console=ttyS0 quiet panic=-1 mitigations=off"
    -device virtio-rng-pci
    -drive "if=none,id=root,file=$root_image,format=raw,snapshot=on" -device virtio-blk-pci,drive=root,serial=root
    -drive "if=none,id=payload,file=$payload,format=raw,readonly=on" -device virtio-blk-pci,drive=payload,serial=payload
    -drive "if=none,id=results,file=$results,format=raw" -device virtio-blk-pci,drive=results,serial=results)
  [ -z "${libraries_image:-}" ] || command+=(-drive "if=none,id=libraries,file=$libraries_image,format=raw,readonly=on" -device virtio-blk-pci,drive=libraries,serial=libraries)
  if [ "$suite" = shell ]; then timeout --foreground "${limit:-14400}" "${command[@]}"; rm -f "$payload"; return; fi
  # Where the machine is shared, SPARED_VM_NICE (such as -5, for root) keeps the guest from starving.
  timeout -k 5 "${limit:-300}" nice -n "${SPARED_VM_NICE:-0}" "${command[@]}" < "$input" > "$directory/console.log" 2>&1 9>&- &
  wait $!
  local qemu_status=$? status
  tar -C "$directory" -xf "$results" 2> /dev/null || true
  rm -f "$results" "$payload"
  status=$(grep -a -o 'GUEST-EXIT rc=[0-9]*' "$directory/console.log" | tail -1 | cut -d= -f2)
  grep -a -E '^  (ok|FAIL|skip|no such|    [ |k]| +(note:|[|k] ))' "$directory/console.log" | tr -d '\r'
  if [ -z "$status" ]; then
    local why="the guest ended without a verdict (QEMU's status $qemu_status)"
    [ $qemu_status != 124 ] || why="the guest did not end within ${limit:-300} s"
    echo "  FAIL $suite: $why"; tail -20 "$directory/console.log" | tr -d '\r' | sed 's/^/    | /'
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="test-vm.%s.%s" tests="1" failures="1" errors="0">\n<testcase classname="test-vm.%s" name="guest"><failure message="%s"/></testcase>\n</testsuite>\n' \
      "$suite" "$name" "$suite" "$why" > "$directory/junit.xml"
    return 98
  fi
  return "$status"
}

# QEMU 10: the 7.2 of Debian 12 corrupts guests at random, so where the machine's own is older, backports' is extracted beside it and used with the machine's libraries.

ensure_qemu() {
  local own; own=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
  if [ "${own:-0}" -ge 10 ]; then qemu=(qemu-system-x86_64); return; fi
  local directory=$cache/qemu
  if [ ! -x "$directory/usr/bin/qemu-system-x86_64" ]; then
    local codename; codename=$(. /etc/os-release; echo "$VERSION_CODENAME")
    fetch_packages "$codename-backports" "$directory" qemu-system-x86 qemu-system-common qemu-system-data seabios || return 1
  fi
  if ldd "$directory/usr/bin/qemu-system-x86_64" | grep 'not found' >&2; then
    echo "test-vm: the libraries above are missing for QEMU; install qemu-system-x86" >&2; return 1
  fi
  qemu=("$directory/usr/bin/qemu-system-x86_64" -L "$directory/usr/share/qemu" -L "$directory/usr/share/seabios")
}

# Hardware virtualisation only after a probe that ends: where it is broken QEMU stays paused for ever or dies. The answer is kept.
choose_acceleration() {
  local kept=$cache/acceleration
  if [ ! -s "$kept" ]; then
    # One thread for both processors: two that the machine does not run at once spin for each other, and a
    # loaded machine then takes ten times as long (java -version: 8 to 28 s instead of 3).
    echo "tcg,thread=${SPARED_VM_THREADS:-single} max,-la57" > "$kept"
    if [ -w /dev/kvm ]; then
      # In a shell of its own, so that its abort is not announced.
      (timeout -k 2 20 "${qemu[@]}" -machine q35 -accel kvm -cpu host -smp 2 -m 512 -nodefaults -display none -serial stdio -no-reboot \
        -kernel "$kernel_image" -initrd "$kernel_initramfs" -append "console=ttyS0 quiet panic=-1 spared.probe" < /dev/null > "$cache/acceleration.log" 2>&1; true) 2> /dev/null
      if grep -a -q INITRAMFS "$cache/acceleration.log"; then echo "kvm host" > "$kept"; fi
    fi
  fi
  read -r acceleration processor < "$kept"
}

# The second root: Debian with systemd and udev, from Debian's own packages, extracted without chroot or mounts and kept until this file changes or --update.
# The packages' scripts do not run; what they would do and this guest needs is done here.

full_root_suite=trixie
full_root_packages="?essential systemd systemd-sysv udev kmod e2fsprogs procps dmsetup"

# What a machine of its kind would have and this one has no use for: each costs seconds of an emulated processor at every boot.
full_root_masked="systemd-hwdb-update ldconfig systemd-journal-catalog-update systemd-update-done systemd-firstboot systemd-binfmt systemd-logind
  systemd-user-sessions systemd-networkd systemd-resolved systemd-timesyncd systemd-pstore e2scrub_reap apt-daily apt-daily-upgrade dpkg-db-backup
  systemd-tpm2-setup systemd-tpm2-setup-early systemd-pcrmachine systemd-pcrphase systemd-pcrphase-sysinit systemd-hibernate-clear"

# ensure_full_root: sets full_root, a directory.
ensure_full_root() {
  local key; key=$(sha256sum < "$here/lib/full-root.sh" | cut -c1-16)
  full_root=$cache/full-root/$key
  [ -d "$full_root" ] && return
  echo "test-vm: building the root with systemd and udev" >&2
  rm -rf "$cache/full-root"; mkdir -p "$cache/full-root/part"
  # shellcheck disable=SC2086
  (private_apt $full_root_suite && apt-get install -y -qq --download-only --no-install-recommends $full_root_packages) > "$cache/full-root.log" 2>&1 ||
    { echo "test-vm: could not download the packages of the full root, see $cache/full-root.log" >&2; return 1; }
  local tree=$cache/full-root/part archives=$cache/apt/$full_root_suite/cache/archives package
  # The links /bin and /lib come first.
  for package in "$archives"/base-files_*.deb "$archives"/*.deb; do dpkg -x "$package" "$tree" || return 1; done
  rm -f "$archives"/*.deb
  rm -rf "$tree"/usr/share/{doc,man,locale,info,bug,lintian,zoneinfo,i18n} "$tree"/usr/lib/udev/{hwdb.d,hwdb.bin} "$tree"/usr/lib/x86_64-linux-gnu/gconv
  cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"; cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
  # What sysusers would add: udev's rules name these groups.
  local group number=990
  for group in kvm render sgx input systemd-journal; do echo "$group:x:$number:" >> "$tree/etc/group"; number=$((number - 1)); done
  echo machine > "$tree/etc/hostname"; echo '127.0.0.1 localhost machine' > "$tree/etc/hosts"; : > "$tree/etc/fstab"
  ln -sf mawk "$tree/usr/bin/awk"
  mkdir -p "$tree/usr/lib/modules" "$tree/etc/systemd/system" "$tree/etc/systemd/journald.conf.d" "$tree/etc/systemd/system.conf.d"
  ln -s usr/lib/systemd/systemd "$tree/init"
  ln -s /usr/lib/systemd/system/multi-user.target "$tree/etc/systemd/system/default.target"
  local unit
  for unit in $full_root_masked; do ln -sf /dev/null "$tree/etc/systemd/system/$unit.service"; done
  for unit in getty.target apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer systemd-tmpfiles-clean.timer; do
    ln -sf /dev/null "$tree/etc/systemd/system/$unit"
  done
  # Everything is on the console, where it outlives the guest.
  printf '[Journal]\nStorage=volatile\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\nMaxLevelConsole=info\nRateLimitBurst=0\n' > "$tree/etc/systemd/journald.conf.d/console.conf"
  printf '[Manager]\nShowStatus=no\nDefaultTimeoutStartSec=300\nDefaultDeviceTimeoutSec=900\n' > "$tree/etc/systemd/system.conf.d/slow.conf"
  mv "$tree" "$full_root"
}

# The image of spared, as it is installed.
ensure_image() {
  JAVA_HOME=$jdk timeout 900 "$top/spared" dist > "$cache/image.log" 2>&1 || { echo "test-vm: the image does not build, see $cache/image.log" >&2; return 1; }
}

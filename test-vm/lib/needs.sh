# What this machine must have: programs and the Debian packages that bring them. As root the missing ones are installed; otherwise one line names them.

# Programs that make and run the guest.
host_programs="qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio modprobe:kmod depmod:kmod zstd:zstd xz:xz-utils mke2fs:e2fsprogs
  ldd:libc-bin dpkg:dpkg apt-get:apt flock:util-linux mvn:maven"

# Programs that are copied into the guest.
guest_programs="bash:bash perl:perl-base dd:coreutils timeout:coreutils stdbuf:coreutils mount:mount losetup:mount kmod:kmod fio:fio dmsetup:dmsetup nbd-client:nbd-client
  cmp:diffutils blockdev:util-linux blkdiscard:util-linux lsblk:util-linux fallocate:util-linux taskset:util-linux
  mkfs.ext4:e2fsprogs e2fsck:e2fsprogs mkfs.xfs:xfsprogs xfs_repair:xfsprogs mkfs.btrfs:btrfs-progs btrfs:btrfs-progs"

export PATH=$PATH:/usr/sbin:/sbin

missing_packages() {
  local entry
  for entry in $host_programs $guest_programs; do
    command -v "${entry%%:*}" > /dev/null || echo "${entry#*:}"
  done
  # An initramfs can only use a busybox that needs no libraries.
  if command -v busybox > /dev/null && ldd "$(command -v busybox)" > /dev/null 2>&1; then echo busybox-static; fi
  [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
}

# The directory of a JDK 25, or nothing.
find_jdk() {
  local candidate
  for candidate in "${SPARED_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/javac" ] || continue
    if grep -q '^JAVA_VERSION="25' "$candidate/release" 2> /dev/null; then echo "$candidate"; return; fi
  done
}

ensure_needs() {
  if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ] || ! command -v apt-get > /dev/null; then
    echo "test-vm: needs Debian (or a relative with apt) on x86-64" >&2; return 1
  fi
  local missing; missing=$(missing_packages | sort -u | tr '\n' ' ')
  if [ -n "$missing" ] && [ "$(id -u)" = 0 ]; then
    echo "test-vm: installing $missing" >&2
    # shellcheck disable=SC2086
    { timeout 300 apt-get update -qq && timeout 600 env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } > "$cache/install.log" 2>&1 ||
      { echo "test-vm: apt-get could not install: $missing(see $cache/install.log)" >&2; return 1; }
    missing=$(missing_packages | sort -u | tr '\n' ' ')
  fi
  [ -z "$missing" ] || { echo "test-vm: missing packages: apt-get install $missing" >&2; return 1; }
  jdk=$(find_jdk)
  [ -n "$jdk" ] || { echo "test-vm: no JDK 25 in \$JAVA_HOME or /usr/lib/jvm; install one (Debian: openjdk-25-jdk-headless, or Temurin 25)" >&2; return 1; }
}

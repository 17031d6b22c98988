# The kernels under test: `newest` has every ublk feature there is, `second` is the oldest that is supported and lacks most of them.

kernel_suite() {
  case $1 in
    newest) echo trixie-backports ;;
    second) echo bookworm-backports ;;
    *) echo "test-vm: no kernel '$1'; there are: newest, second" >&2; return 1 ;;
  esac
}

# ensure_kernel NAME: sets kernel_version, kernel_image and kernel_initramfs. Fetched once; `--update` fetches again.
ensure_kernel() {
  local name=$1 suite; suite=$(kernel_suite "$name") || return 1
  local directory=$cache/kernels/$name
  if [ ! -s "$directory/version" ]; then
    local version packages; read -r version packages <<< "$(resolve_kernel "$suite")"
    [ -n "$version" ] || { echo "test-vm: no cloud kernel in $suite" >&2; return 1; }
    echo "test-vm: fetching kernel $version" >&2
    # shellcheck disable=SC2086
    fetch_packages "$suite" "$directory" $packages || return 1
    extract_image "$(find "$directory" -name 'vmlinuz*' | head -1)" "$directory/vmlinux" || return 1
    echo "$version" > "$directory/version"
  fi
  kernel_version=$(< "$directory/version"); kernel_image=$directory/vmlinux
  local key; key=$(cat "$here/lib/initramfs.sh" "$here/guest/initramfs" "$directory/version" | sha256sum | cut -c1-16)
  kernel_initramfs=$directory/initramfs-$key.gz
  if [ ! -s "$kernel_initramfs" ]; then
    rm -f "$directory"/initramfs-*.gz
    build_initramfs "$directory" "$kernel_version" "$kernel_initramfs" || return 1
  fi
}

# Prints the version and the packages that hold image and modules: since 6.19 or so linux-image-* is an empty package that depends on two others.
resolve_kernel() {
  (
    private_apt "$1" || exit 1
    image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    version=${image#linux-image-}
    [ -n "$version" ] || exit 1
    if apt-cache show "linux-binary-$version" > /dev/null 2>&1; then echo "$version linux-binary-$version linux-modules-$version"; else echo "$version $image"; fi
  )
}

# The ELF image within a bzImage: the boot protocol's header says where the payload lies (sectors of set-up at 0x1f1, payload at 0x248 and 0x24c).
extract_image() {
  local from=$1 to=$2 setup offset length magic
  read -r setup <<< "$(od -An -tu1 -j $((0x1f1)) -N1 "$from")"; [ "$setup" != 0 ] || setup=4
  read -r offset length <<< "$(od -An -tu4 -j $((0x248)) -N8 "$from")"
  offset=$((offset + (setup + 1) * 512))
  magic=$(od -An -tx1 -j "$offset" -N4 "$from" | tr -d ' ')
  local unpack
  case $magic in
    28b52ffd) unpack="zstd -qdc" ;;
    fd377a58) unpack="xz -qdc" ;;
    1f8b*) unpack="gzip -qdc" ;;
    *) echo "test-vm: $from: unknown compression $magic" >&2; return 1 ;;
  esac
  # What follows the stream (a size, padding) makes the unpackers complain; the result is checked instead.
  tail -c +$((offset + 1)) "$from" | head -c "$length" | $unpack > "$to" 2> /dev/null || true
  [ "$(od -An -tx1 -N4 "$to" | tr -d ' ')" = 7f454c46 ] || { echo "test-vm: $from holds no kernel that can be started directly" >&2; return 1; }
}

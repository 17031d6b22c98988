# A small initramfs: busybox, the guest's modules, and a script that mounts the root.

guest_modules="virtio_pci virtio_blk virtio_rng virtio_scsi ublk_drv null_blk nbd loop brd dm-mod dm-flakey dm-delay dm-zero dm-log-writes dm-snapshot scsi_debug sd_mod
  ext4 xfs btrfs squashfs overlay crc32c-intel crc32c_generic configfs"

build_initramfs() {
  local from=$1 version=$2 to=$3 modules tree work
  modules=$(find "$from" -type d -path "*/lib/modules/$version" | head -1)
  work=$(mktemp -d "$cache/initramfs.XXXXXX"); tree=$work/tree
  mkdir -p "$tree"/{bin,proc,sys,dev,newroot,"lib/modules/$version"} "$work/all/lib/modules"
  cp "$(command -v busybox)" "$tree/bin/busybox"; cp "$here/guest/initramfs" "$tree/init"; chmod +x "$tree/init"
  cp -r "$modules" "$work/all/lib/modules/$version"; depmod -b "$work/all" "$version" 2> /dev/null
  cp "$modules"/modules.{builtin,order} "$tree/lib/modules/$version/" 2> /dev/null || true
  local module file relative
  for module in $guest_modules; do
    modprobe -d "$work/all" -S "$version" --show-depends "$module" 2> /dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | sort -u | while read -r file; do
    relative=${file#"$work/all"}; mkdir -p "$tree/$(dirname "$relative")"
    case $file in
      *.xz) xz -dc "$file" > "$tree/${relative%.xz}" ;;
      *.zst) zstd -qdc "$file" > "$tree/${relative%.zst}" ;;
      *) cp "$file" "$tree/$relative" ;;
    esac
  done
  depmod -b "$tree" "$version" 2> /dev/null
  (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) > "$to.part" && mv "$to.part" "$to"
  rm -rf "$work"
}

# The guest's root: busybox, this machine's tools with the libraries they need, and a JDK. Made without root rights, chroot or mounts, and kept until something in it changes.

ensure_root() {
  local key; key=$({ cat "$here/lib/root.sh" "$here/lib/needs.sh" "$here/guest/init" "$jdk/release"; for program in $(guest_program_paths); do stat -Lc '%n %s %Y' "$program"; done; } | sha256sum | cut -c1-16)
  root_image=$cache/root-$key.ext4
  [ -s "$root_image" ] && return
  echo "test-vm: building the guest's root" >&2
  rm -f "$cache"/root-*.ext4
  local tree; tree=$(mktemp -d "$cache/root.XXXXXX")
  mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,usr/lib,lib,lib64,proc,sys,dev,tmp,run,etc,root,lib/modules,mnt,payload,libraries,work}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  local applet program
  for applet in $(busybox --list); do [ -e "$tree/bin/$applet" ] || ln -s busybox "$tree/bin/$applet"; done
  for program in $(guest_program_paths); do copy_program "$tree" "$program"; done
  # What bin/spared starts the daemon through is written in perl, with the two pragmas that everything uses.
  local pragma
  for pragma in strict warnings; do
    program=$(perl -M$pragma -e "print \$INC{'$pragma.pm'}"); mkdir -p "$tree$(dirname "$program")"; cp -L "$program" "$tree$program"
  done
  for applet in modprobe insmod lsmod rmmod modinfo depmod; do ln -sf ../usr/bin/kmod "$tree/bin/$applet"; done
  mkdir -p "$tree/opt/jdk"
  (cd "$jdk" && tar c --exclude=src.zip --exclude=jmods --exclude=man --exclude=ct.sym --exclude='classes_coh.jsa' --exclude='classes_nocoops*' .) | tar x -C "$tree/opt/jdk"
  local file
  for file in bin/java lib/server/libjvm.so lib/libjava.so lib/libnio.so; do copy_libraries "$tree" "$jdk/$file"; done
  ln -s /opt/jdk/bin/java "$tree/bin/java"; ln -s /opt/jdk/bin/jcmd "$tree/bin/jcmd"
  echo 'root:x:0:0:root:/root:/bin/sh' > "$tree/etc/passwd"; echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >> "$tree/etc/passwd"
  echo 'root:x:0:' > "$tree/etc/group"; echo '127.0.0.1 localhost' > "$tree/etc/hosts"; : > "$tree/etc/fstab"; ln -s /proc/mounts "$tree/etc/mtab"
  cp "$here/guest/init" "$tree/init"; chmod +x "$tree/init"
  truncate -s $(($(du -sm "$tree" | cut -f1) * 110 / 100 + 96))M "$root_image.part"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$root_image.part" && mv "$root_image.part" "$root_image"
  rm -rf "$tree"
}

guest_program_paths() {
  local entry
  for entry in $guest_programs; do command -v "${entry%%:*}"; done
}

copy_program() {
  local tree=$1 program=$2 name=${2##*/}
  rm -f "$tree/usr/bin/$name" "$tree/bin/$name"
  cp -L "$program" "$tree/usr/bin/$name"; ln -s "../usr/bin/$name" "$tree/bin/$name"
  copy_libraries "$tree" "$program"
}

copy_libraries() {
  local tree=$1 library
  { ldd "$2" 2> /dev/null || true; } | grep -o '/[^ ]*' | grep -v '^/usr/lib/jvm' | while read -r library; do
    mkdir -p "$tree$(dirname "$library")"; cp -Lnu "$library" "$tree$library"
  done
}

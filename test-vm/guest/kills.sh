# What the suites about killed daemons share. The next server's JVM is started before the old one is killed, so that a round is short and
# the pause that is measured is the driver's and the frontend's, not a JVM's start under emulation.

uptime_now() { cut -d' ' -f1 /proc/uptime; }
since() { echo "$(uptime_now) $1" | awk '{printf "%.2f", $1 - $2}'; }

# serve_first NAME OPTION VALUE…: the first server of $disk; the options are every later one's too.
serve_first() {
  local name=$1; shift
  options=(--main "$disk" --number "$number" "$@")
  trial "$name" "${options[@]}"
  pauses=
}

# kill_and_replace NAME: SIGKILL, and NAME takes the device back. While its JVM starts the writer goes slowly, which would take half of the processor from it;
# at the kill it writes as fast as it can.
kill_and_replace() {
  local old=$trial_process begun
  touch /work/slowly
  trial_begins "$1" "${options[@]}" --recover yes --wait yes
  eventually "${patience:-150}" grep -q '^READY' "$1.out"
  rm /work/slowly
  [ -z "${writer:-}" ] || eventually 60 beyond $(($(progress) + 2))
  begun=$(uptime_now)
  kill -9 "$old"
  echo go > "$1.in"
  trial_serves "$1"
  pauses+="$(since "$begun") "
}

# What was measured, once a case is over.
note_pauses() {
  note "$(wc -w <<< "$pauses") kills; away for (s) $(tr ' ' '\n' <<< "$pauses" | grep . | sort -n | awk '{v[NR] = $1} END {printf "median %s, worst %s", v[int((NR + 1) / 2)], v[NR]}'), the next JVM being up already"
}

# write_for_ever DIRECTORY: writes and syncs file after file, says in /work/progress how many, until /work/enough exists; then says done.
write_for_ever() {
  rm -f /work/enough /work/slowly; echo 0 > /work/progress
  (
    set -e; i=0
    while [ ! -e /work/enough ]; do
      i=$((i + 1)); file=$1/$((i % 40))
      head -c $((i * 7919 % 300000 + 1)) /dev/urandom > "$file.new"; mv "$file.new" "$file"; sync "$file"
      sum=$(sha256sum < "$file"); echo "${sum%% *}  $file" > "/work/sum.$((i % 40))"
      echo $i > /work/progress
      [ ! -e /work/slowly ] || rest 0.5
    done
    echo done
  ) > writer.out 2>&1 &
  writer=$!
}

# How many files there are so far; the file is empty for a moment whenever it is written.
progress() { local now=; until [ -n "$now" ]; do now=$(< /work/progress); done; echo "$now"; }
# The writer went on after this number.
beyond() { [ "$(progress)" -gt "$1" ]; }

# kills_under_files ROUNDS: the writer goes on after every kill, without an error.
kills_under_files() {
  local round at
  for round in $(seq 1 "$1"); do
    kill_and_replace "t$round"
    at=$(progress)
    eventually 60 beyond $((at + 1)) || { cat writer.out; what_hangs "$number"; fail "the writer is blocked after kill $round"; }
  done
  touch /work/enough
  wait "$writer" || { cat writer.out; fail "the writer saw an error"; }
  same "$(tail -1 writer.out)" done
  note "$(progress) files were written and synced"
}

# mounted_over_kills KIND CHECK ROUNDS MKFS…: a file system that is written to all the time, over kills of its server; then every file that was
# synced is whole, after an unmount too, and the file system is sound.
mounted_over_kills() {
  local kind=$1 check=$2 rounds=$3; shift 3
  modprobe "$kind" 2> /dev/null || true
  disk=$(ram_disk 320); at_end "losetup -d $disk"
  serve_first t --queues 2 --depth 32
  "$@" "$device" > mkfs.out 2>&1 || { cat mkfs.out; fail "mkfs"; }
  mkdir -p /mnt/a; mount -t "$kind" "$device" /mnt/a; at_end "umount /mnt/a"
  write_for_ever /mnt/a; at_end "kill -9 $writer"
  kills_under_files "$rounds"
  cat /work/sum.* > sums; sha256sum -c -s sums
  umount /mnt/a; echo 3 > /proc/sys/vm/drop_caches
  mount -t "$kind" "$device" /mnt/a
  sha256sum -c -s sums
  umount /mnt/a
  $check "$device" > fsck.out 2>&1 || { cat fsck.out; fail "$kind is damaged"; }
  trial_ends "t$rounds" stop
  note_pauses
}

# fio_over_kills ROUNDS [OPTION VALUE…]: fio verifies what it writes, over kills, and sees no error.
fio_over_kills() {
  local round load
  disk=$(ram_disk 128); at_end "losetup -d $disk"
  serve_first t --queues 2 --depth 32 "${@:2}"
  rm -f enough
  verify_until_enough > verify.out 2>&1 & load=$!; at_end "touch enough; kill -9 $load"
  for round in $(seq 1 "$1"); do
    kill_and_replace "t$round"
    kill -0 $load || { cat verify.out fio.out; fail "fio ended before kill $round"; }
  done
  touch enough
  wait $load || { cat verify.out fio.out; fail "fio saw an error or other bytes"; }
  trial_ends "t$1" stop
  note_pauses
  note "$(wc -l < verify.out) passes of fio, each of four jobs"
}

# Passes of some seconds, each of which verifies all that it wrote, until the file `enough` is there.
verify_until_enough() {
  until [ -e enough ]; do
    fio --name=verify --filename="$device" --direct=1 --ioengine=libaio --iodepth=8 --numjobs=4 --size=16M --offset_increment=16M --rate_iops=20 \
      --rw=randwrite --bsrange=4k-64k --verify=crc32c --verify_backlog=32 --do_verify=1 --verify_fatal=1 --serialize_overlap=1 --time_based=1 --runtime=10 > fio.out 2>&1 || return 1
    [ "$(grep -c 'err= 0' fio.out)" = 4 ] || return 1
    echo "a pass without an error"
  done
}

# about: measures a ublk device over a RAM disk against that disk, kernel loop with direct I/O and dm-linear; what ./spared bench ublk runs
# limit: 7200
# case-limit: 7000
# sets: bench
# memory: 4096

modprobe -a ublk_drv loop dm-mod
cd /work
declare -A paths=() servers_of=()

# Six RAM disks, so that every contender has one of its own, filled where they are read.
make_contenders() {
  local i
  modprobe brd rd_nr=6 rd_size=$((640 << 10))
  for i in 0 1 2 3 4 5; do dd if=/dev/urandom of=/dev/ram$i bs=1M count=64 oflag=direct status=none; done
  losetup --direct-io=on /dev/loop7 /dev/ram1; at_end "losetup -d /dev/loop7"
  echo "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0" | dm_create bench; at_end "dmsetup remove --retry bench"
  paths=([bare]=/dev/ram0 [loop]=/dev/loop7 [linear]=/dev/mapper/bench)
  serve spared 2
  serve again 3
  # Zero copy, where the driver has it.
  if [ "$(uname -r | cut -d. -f1)" -ge 7 ]; then serve pages 5 --copying nobody; fi
  serve remapped 4 --remaps 100000 --first-remap $(((64 << 20) / 4096))
}

serve() { trial "$1" --main "/dev/ram$2" --number "$2" --queues 2 --depth 128 "${@:3}"; paths[$1]=$device servers_of[$1]=$trial_process; }

# The processor time of a contender's server so far, user and system, in jiffies of 10 ms.
server_time() { if [ -n "${servers_of[$1]-}" ]; then sed 's/.*) //' "/proc/${servers_of[$1]}/stat" | cut -d' ' -f12,13; else echo 0 0; fi; }

# measure CONTENDER PATTERN SIZE DEPTH JOBS: prints I/O per second, and microseconds of all processors for each I/O. Processor time is taken from
# the first I/O to the last, not while fio itself starts: that takes a second here.
measure() {
  local line iops
  line=$(fio --name=b --filename="${paths[$1]}" --direct=1 --ioengine=io_uring --rw="$2" --bs="$3" --iodepth="$4" --numjobs="$5" --size=64M --time_based=1 \
    --runtime="$seconds" --randrepeat=0 --norandommap --group_reporting --minimal --exec_prerun='cp /proc/stat before' --exec_postrun='cp /proc/stat after' | grep '^3;') ||
    fail "fio on $1"
  iops=$(cut -d';' -f8,49 <<< "$line" | tr ';' ' ' | awk '{print $1 + $2}')
  # A jiffy is 10 ms.
  echo "$iops $(cat before after | awk -v n=$((iops * seconds + 1)) '/^cpu / {b = $2 + $3 + $4 + $7 + $8; d = b - p; p = b} END {printf "%.1f", d * 10000 / n}')"
}

# The processor time that the servers have spent on compiling so far, in jiffies.
compiling() {
  local name
  for name in "${!servers_of[@]}"; do cat "/proc/${servers_of[$name]}/task/"*/stat 2> /dev/null || true; done | awk '/Compiler/ {sub(/.*\) /, ""); all += $12 + $13} END {print all + 0}'
}

# warm CONTENDER LOAD…: until the figures of two windows in a row are not above the best before by more than a twentieth and nobody compiles more than a tenth
# of the time, or 30 windows are over. A JVM compiles what is used often, and under emulation that takes minutes, in which it slows everybody.
warm() {
  local best=0 windows=0 since=0 first= iops before compiled=0
  while { [ $since -lt 2 ] || [ "$compiled" -gt $((seconds * 10)) ]; } && [ $windows -lt 30 ]; do
    before=$(compiling)
    iops=$(measure "$@"); iops=${iops%% *}
    compiled=$(($(compiling) - before))
    : "${first:=$iops}"
    windows=$((windows + 1)); since=$((since + 1))
    if [ "$iops" -gt $((best * 21 / 20)) ]; then best=$iops; since=0; fi
  done
  note "warm: $*: from $first to $best I/O per second in $windows windows, compiling for $((compiled * 10)) ms in the last"
}

# rounds COUNT PATTERN SIZE DEPTH JOBS: each contender warmed, then every contender once a round, another one first each time, so that what slows the machine
# for a while slows all.
rounds() {
  local round order i at figures before
  # Servers first: as long as one of them compiles, nobody is measured.
  order=(spared again remapped)
  [ -z "${paths[pages]-}" ] || order+=(pages)
  order+=(bare loop linear)
  for i in "${order[@]}"; do warm "$i" "${@:2}"; done
  for ((round = 0; round < $1; round++)); do
    for ((i = 0; i < ${#order[@]}; i++)); do
      at=${order[(i + round) % ${#order[@]}]}
      before=$(server_time "$at")
      figures=$(measure "$at" "${@:2}")
      echo "${*:2} $at $figures $(echo "$before $(server_time "$at") $figures $seconds" | awk '{n = $5 * $7 + 1; printf "%.1f %.1f", ($3 - $1) * 10000 / n, ($4 - $2) * 10000 / n}')" >> out/figures
    done
  done
}

seconds=2

case_quick() {
  make_contenders
  for jobs in 1 4; do rounds 3 randread 4k 32 $jobs; done
  note "$(wc -l < out/figures) measurements"
}

case_full() {
  make_contenders
  for depth in 1 32 128; do for jobs in 1 4; do
    rounds 3 randread 4k $depth $jobs
    rounds 3 randwrite 4k $depth $jobs
    [ $depth = 128 ] || rounds 2 read 1m $depth $jobs
  done; done
  note "$(wc -l < out/figures) measurements"
}

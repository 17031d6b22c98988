# about: measures a ublk device over a RAM disk against that disk, kernel loop with direct I/O and dm-linear; what ./spared bench ublk runs
# limit: 5400
# case-limit: 5000
# sets: bench
# memory: 4096

modprobe -a ublk_drv loop dm-mod
cd /work

# Five RAM disks, so that every contender has one of its own, filled where they are read.
make_contenders() {
  local i
  modprobe brd rd_nr=5 rd_size=$((640 << 10))
  for i in 0 1 2 3 4; do dd if=/dev/urandom of=/dev/ram$i bs=1M count=64 oflag=direct status=none; done
  losetup --direct-io=on /dev/loop7 /dev/ram1; at_end "losetup -d /dev/loop7"
  echo "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0" | dm_create bench; at_end "dmsetup remove --retry bench"
  declare -gA paths=([bare]=/dev/ram0 [loop]=/dev/loop7 [linear]=/dev/mapper/bench)
  serve spared 2
  serve again 3
  serve remapped 4 --remaps 100000 --first-remap $(((64 << 20) / 4096))
}

serve() { trial "$1" --main "/dev/ram$2" --number "$2" --queues 2 --depth 128 "${@:3}"; paths[$1]=$device; }

busy() { awk '/^cpu / {print $2 + $3 + $4 + $7 + $8}' /proc/stat; }

# measure CONTENDER PATTERN SIZE DEPTH JOBS: one line in figures.
measure() {
  local before after line iops
  before=$(busy)
  line=$(fio --name=b --filename="${paths[$1]}" --direct=1 --ioengine=io_uring --rw="$2" --bs="$3" --iodepth="$4" --numjobs="$5" --size=64M --time_based=1 \
    --runtime="${seconds:-2}" --randrepeat=0 --norandommap --group_reporting --minimal) || fail "fio on $1"
  after=$(busy)
  iops=$(cut -d';' -f8,49 <<< "$line" | tr ';' ' ' | awk '{print $1 + $2}')
  # Processor time of the whole guest, in microseconds for each I/O (a jiffy is 10 ms).
  echo "$2 $3 $4 $5 $1 $iops $(echo "$before $after $iops ${seconds:-2}" | awk '{printf "%.1f", ($2 - $1) * 10000 / ($3 * $4 + 1)}')" >> out/figures
}

# A round: every contender once, another one first each time, so that what slows the machine for a while slows all.
rounds() {
  local round order i count
  order=(bare loop linear spared again remapped)
  for ((round = 0; round < $1; round++)); do
    for ((i = 0; i < ${#order[@]}; i++)); do measure "${order[(i + round) % ${#order[@]}]}" "${@:2}"; done
  done
}

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

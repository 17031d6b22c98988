# What both dialects share: every device N is a set-up "shim-N" over one file, with a spare that is thrown away; all are served by one daemon, started when it
# is missing. SPARED is the command that runs spared, SPARED_SHIM where its files are kept.
set -euo pipefail
state=${SPARED_SHIM:-/run/spared-shim}; mkdir -p "$state/data"
read -ra program <<< "${SPARED:-spared}"

say_why() { echo "${0##*/}: $*" >&2; exit 1; }

ctl() { "${program[@]}" ctl --socket "$state/control.sock" "$@"; }

# eventually SECONDS WHAT COMMAND…
eventually() {
  local until=$((SECONDS + $1)) what=$2; shift 2
  until "$@" > /dev/null 2>&1; do [ $SECONDS -lt $until ] || say_why "$what did not come; see $state/daemon.out"; sleep 0.3; done
}

daemon_lives() { kill -0 "$(cat "$state/daemon.pid" 2> /dev/null)" 2> /dev/null; }

ensure_daemon() {
  ! daemon_lives || return 0
  printf 'spared { data-directory = "%s", control.socket = "%s", nbd.listen = [] }\n' "$state/data" "$state/control.sock" > "$state/spared.conf"
  rm -f "$state/control.sock"
  setsid "${program[@]}" daemon --config "$state/spared.conf" > "$state/daemon.out" 2>&1 < /dev/null &
  echo $! > "$state/daemon.pid"
  eventually 200 "the daemon" grep -q 'spared ready' "$state/daemon.out"
}

numbers() { local file; for file in "$state"/*.device; do [ ! -e "$file" ] || basename "$file" .device; done; }

free_number() { local n=0; while [ -e /dev/ublkc$n ] || [ -e "$state/$n.device" ]; do n=$((n + 1)); done; echo $n; }

# serve N: begins, or takes back, what $state/N.device describes.
serve() {
  local main spare queues depth options
  . "$state/$1.device"
  ensure_daemon
  ctl start "shim-$1" --main "$main" --spare "$spare" --frontend ublk --number "$1" --queues "$queues" --depth "$depth" $options > /dev/null
  eventually 200 "/dev/ublkb$1" grep -q "shim-$1 is served as /dev/ublkb$1\$" "$state/daemon.out"
}

# device_add TYPE FILE N QUEUES DEPTH OPTIONS: null has a file of its own, which is thrown away.
device_add() {
  local type=$1 main=$2 n=$3 spare
  [ "$n" != -1 ] || n=$(free_number)
  [ ! -e "$state/$n.device" ] || say_why "device $n is there already"
  case $type in
    null) main=$state/$n.null; truncate -s "${SHIM_NULL_SIZE:-1G}" "$main" ;;
    loop) [ -e "$main" ] || say_why "$main is not there"; main=$(realpath "$main") ;;
    *) say_why "there is no target $type here: null and loop" ;;
  esac
  spare=$state/$n.spare; rm -f "$spare"; truncate -s 64M "$spare"
  "${program[@]}" ctl create "shim-$n" --main "$main" --spare "$spare" > "$state/create.out" 2>&1 || { cat "$state/create.out" >&2; rm -f "$spare"; exit 1; }
  printf 'main=%q spare=%q queues=%q depth=%q options=%q\n' "$main" "$spare" "$4" "$5" "$6" > "$state/$n.device"
  serve "$n"
  show "$n"
}

device_recover() {
  [ -e "$state/$1.device" ] || say_why "there is no device $1"
  serve "$1"
  show "$1"
}

device_remove() {
  [ -e "$state/$1.device" ] || say_why "there is no device $1"
  if daemon_lives; then ctl remove "shim-$1" --force > /dev/null; else ctl ublk remove "$1" --yes > /dev/null; fi
  rm -f "$state/$1.device" "$state/$1.null" "$state/$1.spare"
}

# show N: what the kernel's driver says of it, in this dialect's words.
show() {
  local line pid=-1 now shape queue task
  line=$(ctl ublk list | grep "^/dev/ublkb$1 ") || say_why "there is no device $1"
  case $line in
    *'served by process'*) now=LIVE; pid=$(sed 's/.*served by process \([0-9]*\),.*/\1/' <<< "$line") ;;
    *'waits for a daemon'*) now=QUIESCED ;;
    *'fails everything'*) now=FAIL_IO ;;
    *) now=DEAD ;;
  esac
  read -ra shape <<< "$(sed 's/.*, \([0-9]*\) queues\{0,1\} of \([0-9]*\),.*/\1 \2/' <<< "$line")"
  echo "dev id $1: nr_hw_queues ${shape[0]} queue_depth ${shape[1]} block size $(blockdev --getss "/dev/ublkb$1" 2> /dev/null || echo 0) dev_capacity $(blockdev --getsz "/dev/ublkb$1" 2> /dev/null || echo 0)"
  server_line "$pid" "$now"
  [ "$pid" != -1 ] || return 0
  # A queue lives on a ring's thread, which may own several.
  mapfile -t rings < <(for task in /proc/"$pid"/task/*; do ! grep -q ring "$task/comm" 2> /dev/null || echo "${task##*/}"; done)
  [ ${#rings[@]} -gt 0 ] || rings=("$pid")
  for ((queue = 0; queue < shape[0]; queue++)); do echo "	queue $queue: tid ${rings[queue % ${#rings[@]}]} affinity(all)"; done
}

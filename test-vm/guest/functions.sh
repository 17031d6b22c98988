# What suites share. A case fails at its first failing command; `fail` says why.

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "$*"; exit 77; }
note() { echo "note: $*"; }

# eventually SECONDS COMMAND…: waits until the command succeeds.
eventually() {
  local until=$((SECONDS + $1)); shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt "$until" ] || { echo "never came true: $*" >&2; "$@" || true; return 1; }
    sleep 0.1
  done
}

# The command fails, and says something that matches the pattern.
refuses() {
  local pattern=$1 said; shift
  if said=$("$@" 2>&1); then fail "should have failed: $*: $said"; fi
  grep -Eq "$pattern" <<< "$said" || fail "said '$said' instead of '$pattern'"
}

same() { [ "$1" = "$2" ] || fail "expected '$2', found '$1'${3:+ ($3)}"; }

# A RAM-backed loop device of so many MiB that speaks direct I/O; prints its path.
ram_disk() {
  local file; file=$(mktemp /dev/shm/disk.XXXXXX); truncate -s "$1M" "$file"
  losetup --show -f "$file"
}

# Makes a device-mapper device from a table on standard input; prints nothing.
dm_create() { dmsetup create "$1" --noudevrule "${@:2}"; dmsetup mknodes > /dev/null; }

# Puts another table (standard input) under a running device-mapper device, without flushing it.
dm_switch() { dmsetup load "$1"; dmsetup suspend --noflush --nolockfs "$1"; dmsetup resume "$1"; }

# What the cases of the suite boot ask of the machine, in the guest. Asking the daemon is done without a JVM, which takes ten seconds to start here.

spared() { /opt/spared/bin/spared ctl "$@"; }

# eventually SECONDS COMMAND…: as elsewhere, but once a second: a question that starts a program keeps an emulated processor from everything else.
eventually() {
  local until=$((SECONDS + $1)); shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt "$until" ] || { echo "never came true: $*" >&2; "$@" || true; return 1; }
    rest 1
  done
}

# ask METHOD PATH [JSON]: the daemon's answer, over its control socket.
ask() {
  perl -MIO::Socket::UNIX -e '
    my ($method, $path, $body) = (@ARGV, "");
    my $socket = IO::Socket::UNIX->new(Peer => "/run/spared/control.sock") or die "no daemon answers\n";
    print $socket "$method $path HTTP/1.1\r\nHost: spared\r\nAccept: text/plain\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    local $/; print <$socket>;' "$@"
}

# is NAME PATTERN: what is said of a device, as in `spared ctl status NAME`.
is() { ask GET "/v1/devices/$1" | grep -Eq "$2"; }
status() { ask GET "/v1/devices/$1"; }

# What the daemon has said since this boot.
said() { journalctl -b -u spared.service -o cat | grep -E "$1"; }

# served NUMBER: the block device is there, and udev is through with it.
served() { [ -b "/dev/ublkb$1" ] && udevadm settle && [ "$(blockdev --getsize64 "/dev/ublkb$1")" -gt 0 ]; }

# writes DIRECTORY: synced files for ever, each told on the console once it is durable: NAME SUM.
writes() {
  local number=0
  while :; do
    number=$((number + 1))
    head -c $((number * 7919 % 200000 + 1)) /dev/urandom > "$1/file$number.part"; mv "$1/file$number.part" "$1/file$number"
    sync "$1/file$number"; sync "$1"
    echo "DURABLE file$number $(sha256sum < "$1/file$number" | cut -d' ' -f1)" > /dev/ttyS0
  done
}

# writes_blocks DEVICE FIRST: blocks of random bytes, each flushed and then told on the console: NUMBER SUM.
writes_blocks() {
  local number=$2
  while :; do
    head -c 4096 /dev/urandom > "/run/block"
    dd if=/run/block of="$1" bs=4096 seek=$number count=1 oflag=direct conv=fsync,notrunc status=none || { echo "WRITE FAILED $number" > /dev/ttyS0; return 1; }
    echo "MOVED $number $(sha256sum < /run/block | cut -d' ' -f1)" > /dev/ttyS0
    number=$((number + 1))
  done
}

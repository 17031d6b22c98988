# What cases say things with, in the guest and on this machine. `fail` says why.

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "$*"; exit 77; }
note() { echo "note: $*"; }

# rest SECONDS: without starting a program, which would be taken from the JVM that is waited for: the processor is an emulated one.
rest() {
  # Both ends are ours, so nothing ever comes.
  [ -n "${never:-}" ] || exec {never}<> <(:)
  read -rt "$1" -u "$never" || true
}

# eventually SECONDS COMMAND…: waits until the command succeeds, and asks more seldom as it takes longer.
eventually() {
  local until=$((SECONDS + $1)) tenths=1; shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt "$until" ] || { echo "never came true: $*" >&2; "$@" || true; return 1; }
    rest 0.$tenths
    [ $tenths = 5 ] || tenths=$((tenths + 1))
  done
}

# The command fails, and says something that matches the pattern.
refuses() {
  local pattern=$1 said; shift
  if said=$("$@" 2>&1); then fail "should have failed: $*: $said"; fi
  grep -Eq "$pattern" <<< "$said" || fail "said '$said' instead of '$pattern'"
}

same() { [ "$1" = "$2" ] || fail "expected '$2', found '$1'${3:+ ($3)}"; }

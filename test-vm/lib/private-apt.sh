# Downloads Debian packages of any suite without touching the machine's own apt: lists, cache and status of its own, from the mirror the machine itself uses.

# private_apt SUITE: sets APT_CONFIG for the commands that follow (call it in a subshell).
private_apt() {
  local suite=$1 state=$cache/apt/$1 mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v -e security | head -1)
  [ -n "$mirror" ] || { echo "test-vm: this machine's apt names no mirror" >&2; return 1; }
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : > "$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$state/sources.list"
  cat > "$state/apt.conf" <<CONF
Dir::State::Lists "$state/lists"; Dir::State::status "$state/status"; Dir::Cache "$state/cache";
Dir::Etc::SourceList "$state/sources.list"; Dir::Etc::SourceParts "-"; APT::Sandbox::User "root"; Acquire::Languages "none";
CONF
  export APT_CONFIG=$state/apt.conf
  timeout 300 apt-get update -qq
}

# fetch_packages SUITE DIRECTORY PACKAGE…: extracts them under DIRECTORY, which is made anew, complete or not at all.
fetch_packages() {
  local suite=$1 directory=$2 packages; shift 2
  packages=$(mktemp -d "$cache/packages.XXXXXX"); rm -rf "$directory.part"; mkdir -p "$directory.part"
  if (private_apt "$suite" && cd "$packages" && timeout 600 apt-get download -qq "$@"); then
    local package
    for package in "$packages"/*.deb; do dpkg -x "$package" "$directory.part"; done
    rm -rf "$packages" "$directory"; mv "$directory.part" "$directory"
  else
    rm -rf "$packages" "$directory.part"; echo "test-vm: could not download from $suite: $*" >&2; return 1
  fi
}

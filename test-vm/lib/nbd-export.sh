# For suites with "host: nbd-export": a server on this machine, and its export as one more disk of the guest.

host_begin() {
  host_directory=$(mktemp -d "$cache/export.XXXXXX"); mkfifo "$host_directory/in"
  sleep 100000 > "$host_directory/in" & host_input=$!
  # The class path is that of the guest's JVMs, so that their start-up cache serves here too.
  local class_path; class_path=$(printf '%s:' "$jars"/*.jar "$libraries"/*.jar)
  truncate -s 64M "$host_directory/disk"
  "$jdk/bin/java" "${jvm_flags[@]}" "-XX:AOTCache=$jars/trial.aot" -cp "${class_path%:}" io.spared.nbd.NbdTrial \
    --disk "$host_directory/disk" --socket "$host_directory/nbd.sock" < "$host_directory/in" > "$host_directory/out" 2>&1 9>&- & host_server=$!
  local tries=0
  until grep -q '^SERVING' "$host_directory/out"; do
    if ! kill -0 $host_server 2> /dev/null || [ $tries -gt 300 ]; then cat "$host_directory/out" >&2; echo "test-vm: the server on this machine does not start" >&2; host_end; return 1; fi
    sleep 0.2; tries=$((tries + 1))
  done
  qemu+=(-drive "if=none,id=export,file.driver=nbd,file.server.type=unix,file.server.path=$host_directory/nbd.sock,file.export=disk,format=raw,cache=none,discard=unmap"
    -device virtio-blk-pci,drive=export,serial=export)
}

host_end() {
  kill $host_input $host_server 2> /dev/null; wait $host_server 2> /dev/null
  grep -E '^(WARN|ERROR)' "$host_directory/out" | sed 's/^/    s /'
  rm -rf "$host_directory"
}

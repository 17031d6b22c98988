# The project's own classes for the guest: compiled by Maven where stale, in jars, with the libraries they need on a disk that is made once per class path,
# and a cache of their loaded form (JDK 25's AOT cache), without which a JVM with actors takes a minute to start under emulation.

# The cache at the address that it was made for: moving it takes an emulated processor many seconds.
jvm_flags=(-XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0 --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow -Djnr.ffi.x86asm.enabled=false -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx512m)

ensure_classes() {
  local list=$top/app/target/test-vm-class-path
  if [ ! -s "$list" ] || [ -n "$(find "$top"/{ffi,actors,app} "$top/pom.xml" \( -path '*/src/*' -o -name pom.xml \) -type f -newer "$list" -print -quit)" ]; then
    echo "test-vm: compiling" >&2
    (cd "$top" && JAVA_HOME=$jdk timeout 900 mvn -q -B ${SPARED_MAVEN_ARGUMENTS:-} test-compile dependency:build-classpath -Dmdep.outputFile=target/test-vm-class-path -Dmdep.includeScope=test) > "$cache/maven.log" 2>&1 ||
      { echo "test-vm: the project does not compile, see $cache/maven.log" >&2; grep -m5 ERROR "$cache/maven.log" >&2; return 1; }
    # Maven leaves an unchanged list as it is: its time is what the jars are compared with.
    touch "$list"
  fi
  ensure_libraries "$list" && ensure_jars "$list"
}

ensure_libraries() {
  local list=$1 key
  libraries=$cache/guest/libraries
  key=$(tr ':' '\n' < "$list" | grep '\.jar$' | grep -v "^$top/" | sort | sha256sum | cut -c1-16)
  libraries_image=$cache/libraries-$key.ext4
  [ -s "$libraries_image" ] && [ -d "$libraries" ] && return
  rm -rf "$cache"/libraries-*.ext4 "$libraries"; mkdir -p "$libraries"
  tr ':' '\n' < "$list" | grep '\.jar$' | grep -v "^$top/" | while read -r library; do cp -p "$library" "$libraries/"; done
  truncate -s $(($(du -sm "$libraries" | cut -f1) * 5 / 4 + 16))M "$libraries_image.part"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$libraries" "$libraries_image.part" && mv "$libraries_image.part" "$libraries_image"
}

ensure_jars() {
  local list=$1 module kind classes own
  # Of this checkout alone: others share the cache, and their classes are not what is to be tested here. The libraries are linked beside them, since
  # the start-up cache is valid for a class path of the same shape.
  own=$cache/guest/$(sha256sum <<< "$top" | cut -c1-16); jars=$own/payload/jars
  mkdir -p "$own"; ln -sfn ../libraries "$own/libraries"; libraries=$own/libraries
  [ -s "$jars/trial.aot" ] && [ ! "$list" -nt "$jars/trial.aot" ] && [ ! "$libraries_image" -nt "$jars/trial.aot" ] && return
  rm -rf "$jars"; mkdir -p "$jars"
  for module in ffi actors app; do
    for kind in classes test-classes; do
      classes=$top/$module/target/$kind
      [ ! -d "$classes" ] || "$jdk/bin/jar" --create --no-compress --file "$jars/$module-$kind.jar" -C "$classes" .
    done
  done
  # The order is that of the guest: the cache is only valid for the same class path.
  local class_path; class_path=$(printf '%s:' "$jars"/*.jar "$libraries"/*.jar)
  local files; files=$(mktemp -d "$cache/training.XXXXXX")
  timeout 120 "$jdk/bin/java" "${jvm_flags[@]}" "-XX:AOTCacheOutput=$jars/trial.aot" -cp "${class_path%:}" io.spared.app.VmTraining "$files" < /dev/null > "$cache/aot.log" 2>&1 ||
    echo "test-vm: no start-up cache (see $cache/aot.log); the guest's JVMs will be slow" >&2
  rm -rf "$files"
  touch "$jars/trial.aot"
}

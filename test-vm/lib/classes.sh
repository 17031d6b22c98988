# The project's own classes for the guest: compiled by Maven where stale, and the libraries they need on a disk that is made once per class path.

ensure_classes() {
  local list=$top/app/target/test-vm-class-path key library tree
  if [ ! -s "$list" ] || [ -n "$(find "$top"/{ffi,actors,app} "$top/pom.xml" \( -name '*.java' -o -name pom.xml \) -newer "$list" -print -quit)" ]; then
    echo "test-vm: compiling" >&2
    (cd "$top" && JAVA_HOME=$jdk timeout 900 mvn -q -B ${SPARED_MAVEN_ARGUMENTS:-} test-compile dependency:build-classpath -Dmdep.outputFile=target/test-vm-class-path -Dmdep.includeScope=test) > "$cache/maven.log" 2>&1 ||
      { echo "test-vm: the project does not compile, see $cache/maven.log" >&2; grep -m5 ERROR "$cache/maven.log" >&2; return 1; }
  fi
  key=$(tr ':' '\n' < "$list" | grep '\.jar$' | grep -v "^$top/" | sort | sha256sum | cut -c1-16)
  libraries_image=$cache/libraries-$key.ext4
  [ -s "$libraries_image" ] && return
  rm -f "$cache"/libraries-*.ext4
  tree=$(mktemp -d "$cache/libraries.XXXXXX")
  tr ':' '\n' < "$list" | grep '\.jar$' | grep -v "^$top/" | while read -r library; do cp "$library" "$tree/"; done
  truncate -s $(($(du -sm "$tree" | cut -f1) * 5 / 4 + 16))M "$libraries_image.part"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$libraries_image.part" && mv "$libraries_image.part" "$libraries_image"
  rm -rf "$tree"
}

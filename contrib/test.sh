#!/bin/sh
# Installs what is missing, builds, runs all tests: contrib/test.sh [ARGUMENTS FOR "meson test"…]
#
#   CC=clang                      the compiler; gcc by default
#   SANITIZE=address,undefined    with these sanitizers
#   BUILDDIR=DIR                  where to build; build/ by default
#
# The last line is the sum: "N passed, N failed, N skipped". Exit status 0 if nothing failed.
set -eu
cd "$(dirname "$0")/.."
export CC="${CC:-gcc}" SANITIZE="${SANITIZE:-}"
builddir=${BUILDDIR:-build}
if [ -z "${BUILDDIR:-}" ] && [ -n "$SANITIZE" ]; then
	builddir=build-$CC-sanitize
fi

broken() {
	[ $? -eq 0 ] || echo "0 passed, 1 failed, 0 skipped"
}
trap broken EXIT

contrib/install-deps.sh build test </dev/null
options="-Db_sanitize=${SANITIZE:-none}"
case $CC:$SANITIZE in
*clang*:?*) options="$options -Db_lundef=false" ;; # clang's sanitizers are linked into programs only
esac
# with sanitizers, gcc's flow analysis warns of what cannot happen
if [ -n "${CI:-}" ] && [ -z "$SANITIZE" ]; then
	options="$options -Dwerror=true"
fi
# shellcheck disable=SC2086
if [ -f "$builddir/build.ninja" ]; then
	meson configure "$builddir" $options
else
	meson setup "$builddir" $options
fi
ninja -C "$builddir"
trap - EXIT

log=$builddir/meson-logs/testlog.json
rm -f "$log"
meson test -C "$builddir" --no-rebuild --print-errorlogs "$@" </dev/null || true
exec python3 tests/summary.py "$log"

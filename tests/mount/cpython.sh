#!/bin/sh
# CPython's own tests, run with interpreter, library, working directory and TMPDIR inside a mount of the whole machine, and the
# same outside: cpython.sh [root|user] [TEST…]. Every test that ends differently is a failure; a file that differs is run
# a second time on both sides, since some of its tests watch the clock.
if [ -z "${T-}" ]; then
	who=
	case "${1-}" in
	user) who=--user && shift ;;
	root) shift ;;
	esac
	here=$(cd "$(dirname "$0")" && pwd)
	exec "$here/run" $who cpython.sh "$@"
fi
. "$HERE/lib.sh"

ALL="test_os test_posix test_posixpath test_genericpath test_shutil test_pathlib test_tempfile test_glob test_fileio test_io
test_file test_mmap test_fcntl test_filecmp test_zipfile test_tarfile test_subprocess test_sqlite3 test_dbm test_import
test_compileall test_largefile test_venv"
SHORT="test_os test_posix test_posixpath test_genericpath test_shutil test_pathlib test_tempfile test_glob test_fileio test_file
test_mmap test_fcntl test_filecmp test_dbm"
case "${1-}" in
--short) tests=$SHORT ;;
"") tests=$ALL ;;
*) tests=$* ;;
esac

version=$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
[ -d "/usr/lib/$version/test" ] || skip "needs lib$version-testsuite"
unset PYTHONDONTWRITEBYTECODE

# one SIDE TEST: runs one file; its outcomes, a line a test, into $T/SIDE.TEST
one() {
	side=$1
	# paths of the same length: some tests stop at the 108 bytes of a socket's address
	if [ "$side" = inside ]; then
		root=$M
		dir=$inside
	else
		root=""
		dir=$outside
	fi
	rm -rf "$dir"
	mkdir "$dir" "$dir/tmp"
	(
		cd "$dir"
		TMPDIR=$dir/tmp HOME=$dir PYTHONHOME=$root/usr
		export TMPDIR HOME PYTHONHOME
		"$root/usr/bin/$version" -m test -u all,-network,-urlfetch,-gui,-audio,-cpu --timeout 600 --tempdir "$dir/tmp" \
			--junit-xml "$dir/result.xml" "$2" >"$T/$side.$2.log" 2>&1 </dev/null
	) || true
	"$PYTHON" - "$dir/result.xml" "$T/$side.$2" <<'PY'
import sys
import xml.etree.ElementTree as ET
lines, texts = [], []
try:
    for case in ET.parse(sys.argv[1]).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = "/".join(sorted(kinds)) or case.get("result") or "passed"
        lines.append("%s %s" % (case.get("name"), outcome))
        texts += ["%s\n%s" % (case.get("name"), child.text) for child in case if child.tag in ("failure", "error")]
except (OSError, ET.ParseError) as e:
    lines.append("no result: %s" % type(e).__name__)
with open(sys.argv[2], "w") as f:
    f.write("\n".join(sorted(lines)) + "\n")
with open(sys.argv[2] + ".errors", "w") as f:
    f.write("\n".join(texts))
PY
}

M=$T/m
mkdir "$M"
inside=$M/var/tmp/cpython
outside=$T/$(printf '%0*d' $((${#inside} - ${#T} - 1)) 0)
if [ -n "${OSFUSE_MOUNT_CMD-}" ]; then
	mount_view /
else
	"$OSFUSE" mount --name cpython "$M"
fi
different=0
for t in $tests; do
	if [ ! -e "/usr/lib/$version/test/$t.py" ] && [ ! -d "/usr/lib/$version/test/$t" ]; then
		printf '%-18s not in this distribution\n' "$t"
		continue
	fi
	for try in 1 2; do
		one outside "$t"
		one inside "$t"
		cmp -s "$T/outside.$t" "$T/inside.$t" && break
	done
	if cmp -s "$T/outside.$t" "$T/inside.$t"; then
		printf '%-18s same: %d tests, %d not passed on either side\n' "$t" "$(wc -l <"$T/inside.$t")" \
			"$(grep -cvE ' (passed|completed|skipped)$' "$T/inside.$t")"
	else
		different=$((different + 1))
		printf '%-18s DIFFERENT\n' "$t"
		diff "$T/outside.$t" "$T/inside.$t" || true
		head -n 80 "$T/inside.$t.errors"
	fi
done
! grep -l '^no result' "$T"/inside.test_* "$T"/outside.test_* || fail "test files without a result"
[ "$different" -eq 0 ] || fail "$different files differ"

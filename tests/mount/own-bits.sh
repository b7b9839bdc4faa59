#!/bin/sh
# A user's own permission bits bind the user's programs as on a plain file system, and the daemon not at all: module caches, Nix
# stores and checkouts are full of read-only directories.
. "$HERE/lib.sh"
requires_osfuse
for d in dir move empty full deep/sub; do
	mkdir -p "$L/$d"
done
echo low >"$L/dir/file"
echo low >"$L/deep/sub/file"
echo low >"$L/late"
echo low >"$L/full/old"
chmod 555 "$L/dir" "$L/deep/sub" "$L/deep"
chmod 500 "$L/move" "$L/empty"
mount_view

echo more >>"$M/dir/file"
is "$(cat "$M/dir/file")" "low
more"
is "$(stat -c %a "$M/dir")" 555
chmod 600 "$M/deep/sub/file"
is "$(stat -c '%a' "$M/deep" "$M/deep/sub" | tr '\n' ' ')" "555 555 "
touch -d 2001-01-01 "$M/move"
is "$(stat -c %a "$M/move")" 500
mv "$M/move" "$M/moved"
is "$(stat -c %a "$M/moved")" 500
rmdir "$M/empty"
gone "$M/empty"
rm "$M/full/old"
chmod 500 "$M/full"
rmdir "$M/full"
gone "$M/full"
mkdir -m 500 "$M/full"
is "$(stat -c %a "$M/full"; ls -A "$M/full")" 500

mkdir -m 0 "$M/closed"
rmdir "$M/closed"

python - "$M" <<'PY'
import os, sys
os.chdir(sys.argv[1])
f = os.open("late", os.O_RDONLY)
d = os.open("dir", os.O_RDONLY | os.O_DIRECTORY)
names = os.scandir(d)
os.chmod("late", 0)
os.chmod("dir", 0)
assert os.read(f, 10) == b"low\n"
os.fsync(f)
assert [e.name for e in names] == ["file"]
os.chmod("dir", 0o755)
PY
unmount_view
mount_view
is "$(stat -c '%a %n' "$M/moved" "$M/full" | sed "s|$M/||" | tr '\n' ' ')" "500 moved 500 full "

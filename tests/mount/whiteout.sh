#!/bin/sh
# A removed name stays removed: after remounting, after being used again, after a rename onto it and away.
. "$HERE/lib.sh"
mkdir "$L/d" "$L/e"
for f in a b c x; do
	echo "$f" >"$L/d/$f"
done
echo e >"$L/e/inner"
mount_view
rm "$M/d/a" "$M/d/b"
echo again >"$M/d/b"
rm "$M/d/b"
mv "$M/d/c" "$M/d/a"
mv "$M/d/a" "$M/moved"
rm -r "$M/e"
mv "$M/d/x" "$M/e"
rm "$M/e"
check() {
	gone "$M/d/a" "$M/d/b" "$M/d/c" "$M/d/x" "$M/e"
	is "$(ls -A "$M/d")" ""
	is "$(ls -A "$M" | tr '\n' ' ')" "d moved "
	is "$(cat "$M/moved")" c
}
check
remount_view
check
# a removed name filled by a rename, then removed once more
mv "$M/moved" "$M/d/b"
remount_view
is "$(cat "$M/d/b")" c
rm "$M/d/b"
rmdir "$M/d"
remount_view
gone "$M/d" "$M/d/b"
is "$(ls -A "$M")" ""

#!/bin/sh
# Lower hard links stay one file over copy-up, remount and removal of a name.
. "$HERE/lib.sh"
mkdir "$L/d"
echo one >"$L/a"
ln "$L/a" "$L/d/b"
ln "$L/a" "$L/c"
mount_view
is "$(stat -c %h "$M/a")" 3
ino=$(stat -c %i "$M/a")
is "$(stat -c %i "$M/d/b")" "$ino" "inode number of a link"
echo two >"$M/a"
check() {
	is "$(cat "$M/d/b")" "$1"
	is "$(cat "$M/c")" "$1"
	is "$(stat -c %h "$M/d/b")" "$2" nlink
	is "$(stat -c %i "$M/d/b")" "$ino" "inode number"
	is "$(stat -c %i "$M/c")" "$ino" "inode number"
}
check two 3
remount_view
check two 3
echo three >>"$M/d/b"
check "two
three" 3
rm "$M/a"
check "two
three" 2
ln "$M/c" "$M/e"
remount_view
check "two
three" 3
is "$(cat "$M/e")" "two
three"
rm "$M/e" "$M/c"
is "$(stat -c %h "$M/d/b")" 1
is "$(cat "$L/a")" one

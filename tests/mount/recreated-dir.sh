#!/bin/sh
# A directory made anew, or renamed onto a removed one, shows nothing of the lower one.
. "$HERE/lib.sh"
mkdir -p "$L/d/sub" "$L/e/sub" "$L/f"
touch "$L/d/file" "$L/d/sub/file" "$L/e/file" "$L/f/file"
mount_view
rm -r "$M/d" "$M/e"
mkdir "$M/d" "$M/new"
echo x >"$M/new/x"
mv "$M/new" "$M/e"
rm "$M/f/file"
mkdir "$M/empty"
mv -T "$M/empty" "$M/f"
check() {
	is "$(ls -A "$M/d")" ""
	is "$(ls -A "$M/e")" x
	is "$(ls -A "$M/f")" ""
	gone "$M/d/file" "$M/d/sub" "$M/e/file" "$M/e/sub" "$M/f/file" "$M/empty"
}
check
mkdir "$M/d/sub"
is "$(ls -A "$M/d/sub")" ""
rmdir "$M/d/sub"
remount_view
check

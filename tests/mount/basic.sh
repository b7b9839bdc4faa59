#!/bin/sh
# Mount, look, change, unmount, mount again: the changes are in the upper and the lower is what it was.
. "$HERE/lib.sh"
mkdir "$L/d"
echo one >"$L/d/file"
echo two >"$L/top"
ln -s d/file "$L/link"
before=$(sum "$L")

mount_view
mounted || fail "not mounted"
is "$(cat "$M/d/file")" one
is "$(cat "$M/link")" one
is "$(ls "$M" | tr '\n' ' ')" "d link top "
echo changed >"$M/d/file"
echo new >"$M/d/new"
rm "$M/top"
is "$(cat "$M/link")" changed
is "$(cat "$U/d/file")" changed
pids=$(daemon_pids)
unmount_view
! mounted || fail "still mounted"
for p in $pids; do
	wait_for ended "$p"
done
is "$(sum "$L")" "$before" "checksum of the lower"

mount_view
is "$(cat "$M/d/file")" changed
is "$(cat "$M/d/new")" new
gone "$M/top"
umount "$M" 2>/dev/null || fusermount3 -u "$M"
! mounted || fail "umount did not unmount"
is "$(sum "$L")" "$before" "checksum of the lower"

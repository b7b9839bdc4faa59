#!/bin/sh
# "osfuse mount DIRECTORY" alone: the whole machine, with its changes in the sandbox; the store and the mount point are empty.
. "$HERE/lib.sh"
requires_osfuse
requires_program timeout
"$OSFUSE" mount "$M"
mounted || fail "not mounted"
is "$(timeout 20 ls -A "$M$M")" ""
[ -d "$M/usr" ] && [ -d "$M/etc" ] || fail "the machine is not there"
is "$(timeout 20 ls -A "$M$XDG_STATE_HOME/osfuse" 2>/dev/null)" "" "the store as seen in the view"
is "$(cat "$M/etc/passwd")" "$(cat /etc/passwd)"
echo changed >"$M$T/file"
gone "$T/file"
is "$(timeout 60 "$M/usr/bin/python3" -c "open('$M$T/file2', 'w').write('x'); print(open('$M$T/file').read(), end='')")" changed
gone "$T/file2"
"$OSFUSE" list | grep -q "$M" || fail "list does not show the mount: $("$OSFUSE" list)"
if [ "$(id -u)" -eq 0 ]; then
	is "$(timeout 60 chroot "$M" /usr/bin/python3 -c 'import json, ctypes; print(json.dumps([1]))')" "[1]" "python in a chroot"
	is "$(timeout 60 find "$M$T" -name '*' | grep -c "$M$M/")" 0 "names below the mount point in its own view"
fi
"$OSFUSE" umount "$M"
"$OSFUSE" mount "$M"
is "$(cat "$M$T/file")" changed "after mounting again"
"$OSFUSE" umount "$M"
gone "$T/file"
# A sandbox keeps its lowers; on others it is mounted with a warning.
mkdir "$T/other"
box() {
	"$OSFUSE" mount --name box "$@" "$M" 2>"$T/said"
	unmount_view
}
box --lower "$L:$T/other"
box --lower "$L/../lower:$T/other"
box
is "$(cat "$T/said")" ""
box --lower "$T/other"
is "$(cat "$T/said")" "osfuse: box: warning: its changes were made on $L and others, not on what --lower says"
box
is "$(cat "$T/said")" ""

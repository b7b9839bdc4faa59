#!/bin/sh
# An upper where nothing of the lower could be removed is refused, and nothing is left behind in it.
. "$HERE/lib.sh"
requires_osfuse
echo a >"$L/a"
refused() {
	mkdir "$1/u" "$1/w" "$T/merged"
	fails 1 "$1/u: upper: .*no whiteouts" mount_view "$L" "$1/u" "$1/w" "$T/merged"
	grep -q 'hint: put the upper on' "$T/said" || fail "no hint: $(cat "$T/said")"
	fails 1 "no whiteouts" "$OSFUSE" mount --lower "$L" --upper "$1/u" "$T/merged"
	! mounted "$T/merged" || fail "mounted all the same"
	gone "$1/u.osfuse-work"
	is "$(ls -A "$1/u" "$1/w" | grep -v : | tr -d '\n')" ""
	rmdir "$T/merged" "$1/u" "$1/w"
}
mount_view
rm "$M/a"
refused "$M"
unmount_view
if [ "$(id -u)" -eq 0 ] && grep -qw overlay /proc/filesystems; then
	mkdir "$T/u2" "$T/w2"
	mount -t overlay none -o "lowerdir=$L,upperdir=$T/u2,workdir=$T/w2" "$M"
	refused "$M"
	umount "$M"
	mount -t tmpfs none "$T/u2"
	mkdir "$T/u2/u" "$T/u2/w"
	mount_view "$L" "$T/u2/u" "$T/u2/w"
	rm "$M/a"
	gone "$M/a"
fi

#!/bin/sh
# One upper and one work directory, one mount: the second is refused and told who has it.
. "$HERE/lib.sh"
requires_osfuse
mkdir "$T/second"
mount_view
holder=$(daemon_pids | head -n 1)
fails 1 "^osfuse: .*$holder" "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$T/second"
! mounted "$T/second" || fail "mounted all the same"
mkdir "$T/upper2"
fails 1 "^osfuse: .*$holder" "$OSFUSE" mount --lower "$L" --upper "$T/upper2" --work "$W" "$T/second"
touch "$M/works"
unmount_view
mount_view "$L" "$U" "$W" "$T/second"
[ -e "$T/second/works" ] || fail "changes are lost"
exec 5>"$T/second/open"
"$OSFUSE" umount --lazy "$T/second"
holder=$(daemon_pids | head -n 1)
fails 1 "$U: in use by process $holder .*detached from $T/second" mount_view
grep -q "hint: .*kill $holder" "$T/said" || fail "no hint: $(cat "$T/said")"
kill "$holder"
wait_for ended "$holder"
exec 5>&-
mount_view
unmount_view
if [ "$(id -u)" -eq 0 ] && grep -qw overlay /proc/filesystems; then
	# kernel overlayfs, in directories whose names it has to escape
	odd="$T/odd ,\\:name"
	mkdir -p "$odd/u" "$odd/w" "$T/plain/u" "$T/plain/w"
	refused() { # UPPER WORK
		fails 1 "in use by overlayfs, mounted on $M" "$OSFUSE" mount --lower "$L" --upper "$1" --work "$2" "$T/second"
	}
	escaped=$(printf '%s' "$odd" | sed 's/[\\,:]/\\&/g')
	mount -t overlay none -o "lowerdir=$L,upperdir=$escaped/u,workdir=$escaped/w" "$M"
	refused "$odd/u" "$odd/w"
	refused "$odd/u" "$T/plain/w"
	refused "$T/plain/u" "$odd/w"
	umount "$M"
	mount_view "$L" "$odd/u" "$odd/w"
	unmount_view
fi
# what the work directory knows is of its own upper, and may show nowhere else
fails 1 "belongs to another upper" "$OSFUSE" mount --lower "$L" --upper "$T/upper2" --work "$W" "$T/second"

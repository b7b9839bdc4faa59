#!/bin/sh
# A mount of another type is a view all the same: views do not enter it, and the commands know it. Other people's mounts are not ours.
. "$HERE/lib.sh"
requires_osfuse
D=$T/low
mkdir -p "$D/m1" "$D/m2" "$T/sub"
echo x >"$D/file"
# Two views of the directory that both are in: had either entered the other, they would wait for each other.
"$OSFUSE" mount --lower "$D" --name a -o subtype=foo "$D/m1"
"$OSFUSE" mount --lower "$D" --name b -o subtype=foo "$D/m2"
grep -q " $D/m1 fuse.foo " /proc/self/mounts || fail "another type"
is "$(cat "$D/m2/file")" x
is "$(timeout -s KILL 20 ls -A "$D/m1/m2")" "" "a view in a view"
is "$(timeout -s KILL 20 ls -A "$D/m2/m1")" "" "a view in a view"
"$OSFUSE" list >"$T/said"
grep -q "^a .*$D/m1 " "$T/said" || fail "list: $(cat "$T/said")"
fails 1 "is there already" "$OSFUSE" mount --lower "$T/sub" "$D/m1"
if [ "$(id -u)" -eq 0 ]; then
	"$OSFUSE" "$D/m1" -o remount,noexec
	grep -q " $D/m1 fuse.foo .*noexec" /proc/self/mounts || fail "not remounted"
fi
"$OSFUSE" umount "$D/m1"
"$OSFUSE" umount b
! mounted "$D/m1" && ! mounted "$D/m2" || fail "still mounted"

# A FUSE mount that nobody serves yet, made by somebody else.
[ "$(id -u)" -eq 0 ] || exit 0
exec 9<>/dev/fuse
mount -t fuse.other -o "fd=9,rootmode=40000,user_id=0,group_id=0" other "$D/m1" 2>/dev/null ||
	mount -i -t fuse.other -o "fd=9,rootmode=40000,user_id=0,group_id=0" other "$D/m1"
fails 1 "not an osfuse mount" "$OSFUSE" "$D/m1" -o remount,noexec
! grep -q " $D/m1 fuse.other .*noexec" /proc/self/mounts || fail "remounted what is another's"
fails 1 "not an osfuse mount" "$OSFUSE" umount "$D/m1"
umount -l "$D/m1"

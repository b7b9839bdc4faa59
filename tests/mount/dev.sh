#!/bin/sh
# /dev in root's view of the machine: what programs expect there, and nothing of the host's but that.
. "$HERE/lib.sh"
requires_root
requires_osfuse
[ -d /dev/shm ] || skip "needs /dev/shm"
for name in null zero full random urandom tty fd stdin stdout stderr shm; do
	[ -e "/dev/$name" ] || [ -L "/dev/$name" ] || continue
	echo "$name"
done | sort >"$T/expected"
echo host >"/dev/shm/osfuse-dev-test.$$"
trap 'rm -f "/dev/shm/osfuse-dev-test.$$"' EXIT
"$OSFUSE" mount --name dev "$M"
LC_ALL=C ls -A "$M/dev" | LC_ALL=C sort | diff "$T/expected" - || fail "names in /dev"
is "$(ls -A "$M/dev/shm")" "" "what the host shares"
is "$(stat -c %a "$M/dev/shm")" 1777
is "$(readlink "$M/dev/fd")" "$(readlink /dev/fd)"
gone "$M/dev/shm/osfuse-dev-test.$$"
echo view >"$M/dev/shm/osfuse-dev-test.$$"
mkdir "$M/dev/shm/d"
mv "$M/dev/shm/osfuse-dev-test.$$" "$M/dev/shm/d/f"
is "$(ls "$M/dev/shm")" d
is "$(cat "/dev/shm/osfuse-dev-test.$$")" host
mount --bind /proc "$M/proc"
chroot "$M" python3 -c 'import multiprocessing; multiprocessing.Lock()' || fail "no locks between processes"
is "$(chroot "$M" sh -c 'echo x | cat /dev/stdin')" x
umount "$M/proc"
unmount_view
"$OSFUSE" mount --name dev "$M"
is "$(cat "$M/dev/shm/d/f")" view
is "$(stat -c %a "$M/dev/shm")" 1777
unmount_view
gone "/dev/shm/d"

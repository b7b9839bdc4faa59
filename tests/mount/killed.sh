#!/bin/sh
# A daemon killed hard leaves a dead mount: mounting over it repairs it, so does umount, and what was synced is there.
. "$HERE/lib.sh"
requires_osfuse
echo lower >"$L/f"
mount_view
kill_daemon() {
	p=$(daemon_pids)
	[ -n "$p" ] || fail "no daemon found"
	kill -9 $p
	for one in $p; do
		wait_for ended "$one"
	done
}
echo kept >"$M/f"
sync "$M/f"
kill_daemon
fails - 'not connected|connection abort|transport' ls "$M"
mount_view
is "$(cat "$M/f")" kept
is "$(grep -c " $M " /proc/self/mounts)" 1 "mounts"
kill_daemon
"$OSFUSE" umount "$M"
! mounted || fail "still mounted"
mount_view
is "$(cat "$M/f")" kept
# SIGTERM unmounts in order
p=$(daemon_pids)
kill -TERM $p
wait_for ended "$p"
! mounted || fail "still mounted after SIGTERM"

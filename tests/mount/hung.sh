#!/bin/sh
# A daemon that does not answer: umount says so in bounded time, and --lazy asks it for nothing.
. "$HERE/lib.sh"
requires_osfuse
mount_view
echo x >"$M/file"
daemon=$(daemon_pids)
kill -STOP "$daemon"
trap 'kill -CONT "$daemon" 2>/dev/null || true' EXIT
fails 1 "process $daemon, does not answer" timeout -s KILL 30 "$OSFUSE" umount "$M"
grep -q -- "--lazy" "$T/said" || fail "no hint: $(cat "$T/said")"
mounted || fail "unmounted all the same"
mkdir "$T/u2" "$T/w2"
fails 1 "does not answer" timeout -s KILL 30 "$OSFUSE" mount --lower "$L" --upper "$T/u2" --work "$T/w2" "$M"
timeout -s KILL 10 "$OSFUSE" umount --lazy "$M" || fail "umount --lazy: $?"
! mounted || fail "still mounted"
kill -CONT "$daemon"
wait_for ended "$daemon"
is "$(cat "$U/file")" x

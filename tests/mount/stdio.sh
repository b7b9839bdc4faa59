#!/bin/sh
# When the command returns, the mount answers and the daemon holds none of the caller's descriptors: a pipe ends, a lock is free.
. "$HERE/lib.sh"
requires_osfuse
requires_program timeout flock
echo x >"$L/f"
exec 9>"$T/lock"
flock 9
timeout 20 "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$M" 2>&1 </dev/null | timeout 20 cat >"$T/out" ||
	fail "the daemon keeps the pipe open"
is "$(cat "$M/f")" x
is "$(cat "$T/out")" "" "said when all went well"
exec 9>&-
timeout 20 flock -n "$T/lock" true || fail "the daemon inherited a descriptor"
for p in $(daemon_pids); do
	for fd in 0 1 2; do
		is "$(readlink "/proc/$p/fd/$fd")" /dev/null "descriptor $fd of the daemon"
	done
	is "$(readlink "/proc/$p/cwd")" / "the daemon's working directory"
done
# and it serves a mount whose mounter had no standard descriptors at all
unmount_view
"$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$M" <&- >&- 2>&-
is "$(cat "$M/f")" x

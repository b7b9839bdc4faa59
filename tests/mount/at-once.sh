#!/bin/sh
# Of several who mount on one mount point at the same time one does it, and the others say who was first.
. "$HERE/lib.sh"
requires_osfuse
echo low >"$L/f"

# one NAME COMMAND…: whether it succeeded is in NAME.status
one() {
	name=$T/$1 status=0
	shift
	"$@" >"$name.said" 2>&1 || status=$?
	echo $status >"$name.status"
}

n_mounts() {
	grep -cF " $1 " /proc/self/mounts || true
}

for _ in 1 2 3 4 5 6 7 8 9 10; do
	for i in 1 2 3 4 5 6; do
		mkdir -p "$T/u$i" "$T/w$i"
		one $i mount_view "$L" "$T/u$i" "$T/w$i" &
	done
	wait
	is "$(cat "$T"/[1-6].status | grep -c '^0$')" 1 "mounts that succeeded"
	is "$(n_mounts "$M")" 1 "mounts on $M"
	for i in 1 2 3 4 5 6; do
		[ "$(cat "$T/$i.status")" -eq 0 ] || grep -q "^osfuse: $M: in use by process [0-9]" "$T/$i.said" ||
			fail "said: $(cat "$T/$i.said")"
	done
	is "$(cat "$M/f")" low
	unmount_view
	! mounted || fail "still mounted"
done

# over one's own lower, and over that: fusermount3 does not go into a user's view
mount_view "$L" "$T/u1" "$T/w1" "$L"
echo more >"$L/g"
if [ "$(id -u)" -eq 0 ]; then
	mount_view "$L" "$T/u2" "$T/w2" "$L"
	is "$(cat "$L/f" "$L/g")" "low
more"
	unmount_view "$L"
fi
unmount_view "$L"

# a lock of another program's on the mount point is not about mounting
requires_program flock
flock "$M" "$OSFUSE" mount --lower "$L" --ephemeral "$M"
unmount_view
# nor is that of a view that has it for its upper
mount_view
mount_view "$U" "$T/u1" "$T/w1" "$U"
is "$(cat "$M/f")" low
echo up >"$U/g"
is "$(cat "$T/u1/g")" up
unmount_view "$U"
unmount_view
# the upper may be the mount point
mount_view "$L" "$U" "$W" "$U"
is "$(cat "$U/f")" low
unmount_view "$U"

#!/bin/sh
# The limits of the shell that mounts are not those of everybody who uses the view; where they have to stay, they end no daemon.
. "$HERE/lib.sh"
dd if=/dev/zero of="$L/big" bs=64k count=4 2>/dev/null
unlimited() {
	dd if=/dev/zero of="$M/new" bs=64k count=4 2>/dev/null || fail "the limit on the size of files holds"
	echo x >>"$M/big" || fail "no copy-up of a big file"
	unmount_view
	rm "$U/new" "$U/big"
}
(ulimit -Sf 8 && mount_view)
unlimited
(ulimit -f 8 && ulimit -n 1024 && mount_view)
if (ulimit -f 8 && ulimit -f unlimited) 2>/dev/null; then
	most=$(cat /proc/sys/fs/nr_open)
	[ "$most" -lt 1048576 ] || most=1048576
	is "$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$(daemon_pids)/limits")" "$most" "descriptors"
	unlimited
else
	fails - 'too large' dd if=/dev/zero of="$M/new" bs=64k count=4
	fails - 'too large' sh -c "echo x >>'$M/big'"
	cmp "$L/big" "$M/big"
	echo small >"$M/small"
	is "$(cat "$M/small")" small
fi

#!/bin/sh
# Hard links of a lower that nothing keeps together: they part at the first change, and what is written to one name is under that name.
. "$HERE/lib.sh"
requires_osfuse
changes() {
	is "$(stat -c %i "$M/a")" "$(stat -c %i "$M/b")" "number, before"
	chmod 600 "$M/b"
	echo new >"$M/a"
	rm "$M/c"
	echo d >"$M/d"
	[ "$(stat -c %i "$M/a")" != "$(stat -c %i "$M/b")" ] || fail "one number for two files"
	before=$(stat -c '%i %h' "$M/e")
	echo e >"$M/e" # at once: whoever copies the tree now must not take two files for one
	now=$(stat -c '%i %h' "$M/e")
	is "${now#* }" 1 "links of what has left"
	[ "${now% *}" != "${before% *}" ] || fail "the number of the others for what has left them"
}
check() {
	is "$(cat "$M/a")" new "a$1"
	is "$(cat "$M/b")" old "b$1"
	is "$(cat "$M/d")" d "d$1"
	is "$(stat -c %a "$M/a")" 644 "mode of a$1"
	is "$(stat -c %a "$M/b")" 600 "mode of b$1"
	gone "$M/c"
}
all() {
	changes
	check ""
	sleep 1.2
	check " later"
	unmount_view
	mount_view "$@"
	check " remounted"
	unmount_view
}
links() {
	echo old >"$1/a"
	chmod 644 "$1/a"
	for name in b c d e; do
		ln "$1/a" "$1/$name"
	done
}
links "$L"
mount_view "$L" "$U" "$W" "$M" -o index=off
all "$L" "$U" "$W" "$M" -o index=off
is "$(cat "$L/a")" old "the lower"

# A lower without file handles, as the root of a container is, with the options that are the default.
[ "$(id -u)" -eq 0 ] && grep -qw overlay /proc/filesystems || exit 0
mkdir "$T/l0" "$T/lu" "$T/lw" "$T/low" "$T/u" "$T/w"
links "$T/l0"
mount -t overlay none -o "lowerdir=$T/l0,upperdir=$T/lu,workdir=$T/lw" "$T/low"
mount_view "$T/low" "$T/u" "$T/w"
all "$T/low" "$T/u" "$T/w"

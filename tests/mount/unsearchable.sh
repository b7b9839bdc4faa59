#!/bin/sh
# Objects whose own modes forbid nearly everything: their owner can do with them what a plain file system allows. In
# the lower, which is never changed, only a daemon of root's can look behind such modes.
. "$HERE/lib.sh"
make() {
	mkdir "$1/r" "$1/x" "$1/none"
	echo r >"$1/r/f"
	echo x >"$1/x/f"
	echo n >"$1/none/f"
	echo w >"$1/unreadable"
	chmod 600 "$1/r"
	chmod 300 "$1/x"
	chmod 0 "$1/none" "$1/unreadable"
}
# What an owner sees and may do, as text.
try() (
	set +e
	cd "$1" || exit
	for d in r x none; do
		echo "== $d"
		ls -f "$d" >"$T/names" 2>/dev/null && sort "$T/names" || echo "cannot list"
		cat "$d/f" 2>/dev/null || echo "cannot read"
		touch "$d/new" 2>/dev/null || echo "cannot make"
		rm -f "$d/f" 2>/dev/null || echo "cannot remove"
		mv "$d" "$d.moved" && mv "$d.moved" "$d"
		chmod 700 "$d" && ls -A "$d"
	done
	cat unreadable 2>/dev/null || echo "cannot read"
	chmod 200 unreadable && echo more >>unreadable
	chmod 400 unreadable && cat unreadable
	touch -d '2001-01-01' unreadable
	setfattr -n user.x -v v unreadable 2>/dev/null || echo "cannot set an attribute"
	rm -f unreadable
)
make "$L"
mkdir "$T/plain"
make "$T/plain"
mount_view
mkdir "$M/upper" "$T/plain/upper"
make "$M/upper"
make "$T/plain/upper"
for where in upper .; do
	[ $where = upper ] || [ "$(id -u)" -eq 0 ] || continue
	try "$T/plain/$where" >"$T/expected" 2>&1
	try "$M/$where" >"$T/got" 2>&1
	diff "$T/expected" "$T/got" || fail "differs from a plain file system (lower or upper: $where)"
done

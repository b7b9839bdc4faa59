#!/bin/sh
# Names of 255 bytes can be made, removed, replaced and renamed, whatever the daemon adds to names of its own.
. "$HERE/lib.sh"
n=$(printf '%0255d' 0)
o=$(printf '%0255d' 1)
echo lower >"$L/$n"
mkdir "$L/d" "$L/d/$n"
touch "$L/d/$n/in"
mount_view
is "$(cat "$M/$n")" lower
mv "$M/$n" "$M/$o"
echo more >>"$M/$o"
ln "$M/$o" "$M/$n"
ln -sf target "$M/$n"
rm "$M/$n"
rm -r "$M/d/$n"
mkdir "$M/d/$n"
mkfifo "$M/d/$o"
fails - 'too long' touch "$M/${n}x"
fails - 'too long' mkdir "$M/${n}x"
fails - 'too long' mv "$M/$o" "$M/${n}x"
fails - 'too long' cat "$M/${n}x"
check() {
	gone "$M/$n"
	is "$(cat "$M/$o")" "lower
more"
	is "$(ls -A "$M/d/$n")" ""
	[ -p "$M/d/$o" ] || fail "no fifo"
	is "$(ls -A "$M" | wc -l)" 2
}
check
remount_view
check

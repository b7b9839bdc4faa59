#!/bin/sh
# An old upper as a lower: what it had copied up keeps its number over another copy-up, and a moved directory goes on working.
. "$HERE/lib.sh"
requires_osfuse
mkdir -p "$L/e/sub" "$L/d" "$T/u2" "$T/w2"
echo low >"$L/e/file"
mount_view
chmod 700 "$M/e"
chmod 600 "$M/e/file"
stat -c '%n %i %W' "$M/e" "$M/e/file" | sed "s|$M||" >"$T/before"
unmount_view

mount_view "$U:$L" "$T/u2" "$T/w2"
stat -c '%n %i %W' "$M/e" "$M/e/file" | sed "s|$M||" >"$T/between"
cmp "$T/before" "$T/between" || fail "numbers change with the mount"
chmod 755 "$M/e"
chmod 644 "$M/e/file"
stat -c '%n %i %W' "$M/e" "$M/e/file" | sed "s|$M||" >"$T/after"
cmp "$T/before" "$T/after" || fail "numbers change with the second copy-up"
mv "$M/e" "$M/d/e"
ln -s there "$M/d/e/link"
mv "$M/d/e" "$M/d/f"
ln -s there "$M/d/f/other"
is "$(ls "$M/d/f" | tr '\n' ' ')" "file link other sub "
unmount_view
mount_view "$U:$L" "$T/u2" "$T/w2"
is "$(ls "$M/d/f" | tr '\n' ' ')" "file link other sub "
is "$(stat -c %i "$M/d/f/file")" "$(sed -n 's|/e/file \([0-9]*\) .*|\1|p' "$T/before")"

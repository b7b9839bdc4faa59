#!/bin/sh
# Somebody goes on working in the lower: what was renamed, linked or chmodded in the view, with default options, is the view's own.
. "$HERE/lib.sh"
requires_osfuse
for i in 1 2 3; do
	echo "content $i" >"$L/f$i"
done
"$OSFUSE" mount --lower "$L" --name box "$M"
mv "$M/f1" "$M/moved"
chmod 700 "$M/f2"
ln "$M/f3" "$M/kept"
rm "$L/f1" "$L/f3"
echo edited >"$L/f2.new"
mv "$L/f2.new" "$L/f2"
seen() {
	is "$(cat "$M/moved")" "content 1" moved
	is "$(cat "$M/f2")" "content 2" f2
	is "$(cat "$M/kept")" "content 3" kept
	is "$(stat -c %a "$M/f2")" 700 "mode of f2"
}
seen
unmount_view
"$OSFUSE" mount --name box "$M"
seen
unmount_view

# With metacopy it is not, as is said where the option is described; but it can be written anew.
[ "$(id -u)" -eq 0 ] || exit 0
echo "content 4" >"$L/f4"
echo "content 5" >"$L/f5"
mount_view "$L" "$U" "$W" "$M" -o metacopy=on
chmod 600 "$M/f4" "$M/f5"
unmount_view
rm "$L/f4" "$L/f5"
mount_view "$L" "$U" "$W" "$M" -o metacopy=on
fails 1 'input/output error' cat "$M/f4"
echo new >"$M/f4"
is "$(cat "$M/f4")" new "written anew"
python -c "import os, sys; os.truncate(sys.argv[1], 0)" "$M/f5" # truncate(1) opens the file first
is "$(cat "$M/f5")" "" truncated
unmount_view

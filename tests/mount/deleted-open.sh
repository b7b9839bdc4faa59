#!/bin/sh
# Removing what is open leaves no trace: no hidden names, the directory can go too.
. "$HERE/lib.sh"
mkdir "$L/d"
echo lower >"$L/d/f"
mount_view
exec 3<"$M/d/f" 4>>"$M/d/g"
rm "$M/d/f" "$M/d/g"
is "$(ls -A "$M/d")" ""
rmdir "$M/d"
gone "$M/d"
is "$(cat <&3)" lower
echo data >&4
is "$(find "$U" -name '.fuse_hidden*')" ""
mkdir "$M/d"
is "$(ls -A "$M/d")" ""
exec 3<&- 4>&-
rmdir "$M/d"

#!/bin/sh
# Layers written by others: device 0:0, ".wh." names and the opaque marks of both.
. "$HERE/lib.sh"
requires_osfuse
top=$T/top
mkdir -p "$L/d" "$L/opq" "$L/wh" "$L/attr" "$top/d" "$top/opq" "$top/attr"
touch "$L/a" "$L/b" "$L/d/x" "$L/d/y" "$L/opq/hidden" "$L/attr/hidden" "$L/keep"
mknod "$top/a" c 0 0 2>/dev/null || skip "cannot make whiteouts here"
touch "$top/.wh.b" "$top/d/.wh.x" "$top/opq/.wh..wh..opq" "$top/opq/shown" "$top/.wh.wh" "$top/.wh.nothing"
mknod "$top/stray" c 0 0
prefix=user
[ "$(id -u)" -ne 0 ] || prefix=trusted
python -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2] + ".overlay.opaque", b"y")' "$top/attr" "$prefix"
mount_view "$top:$L"
is "$(cd "$M" && find . | sort | tr '\n' ' ')" ". ./attr ./d ./d/y ./keep ./opq ./opq/shown "
gone "$M/a" "$M/b" "$M/d/x" "$M/wh" "$M/stray" "$M/.wh.b" "$M/opq/hidden"
echo new >"$M/b"
mkdir "$M/wh"
remount=$(unmount_view && mount_view "$top:$L" && cat "$M/b" && ls -A "$M/wh")
is "$remount" new

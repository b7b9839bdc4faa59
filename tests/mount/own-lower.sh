#!/bin/sh
# The mount point lies in its own lower: walks end, the mount point shows itself empty, nothing deadlocks.
. "$HERE/lib.sh"
requires_osfuse
requires_program timeout
M=$L/deep/mnt
mkdir -p "$M" "$L/deep/data"
echo x >"$L/deep/data/f"
ln -s "$M" "$L/into"
mount_view
timeout 60 find "$M" >"$T/found" || fail "find does not end"
is "$(sed "s|^$M||" "$T/found" | sort | tr '\n' ' ')" " /deep /deep/data /deep/data/f /deep/mnt /into "
is "$(ls -A "$M/deep/mnt")" ""
is "$(timeout 20 cat "$M/into/deep/data/f")" x
timeout 20 df "$M/deep/mnt" >/dev/null
echo y >"$M/deep/data/f"
is "$(timeout 20 cat "$M/deep/data/f")" y
fails - . timeout 20 touch "$M/deep/mnt/inside"
is "$(timeout 20 du -s --apparent-size "$M" | wc -l)" 1

#!/bin/sh
# Other file systems below the lower are crossed; the view is one file system with one device and no number twice.
. "$HERE/lib.sh"
requires_root
requires_osfuse
mkdir "$L/tmpfs" "$L/bind" "$T/elsewhere"
mount -t tmpfs none "$L/tmpfs"
mkdir "$L/tmpfs/d"
echo t >"$L/tmpfs/d/f"
echo e >"$T/elsewhere/f"
mount --bind "$T/elsewhere" "$L/bind"
for i in $(seq 50); do
	echo "$i" >"$L/tmpfs/$i"
	echo "$i" >"$L/$i"
done
mknod "$L/null" c 1 3
mount_view
is "$(cat "$M/tmpfs/d/f" "$M/bind/f" | tr '\n' ' ')" "t e "
is "$(find "$M" -exec stat -c %d {} + | sort -u | wc -l)" 1 "devices"
is "$(find "$M" -exec stat -c %i {} + | sort | uniq -d | wc -l)" 0 "inode numbers used twice"
find "$M" -exec stat -c '%i %n' {} + | sort >"$T/inodes"
echo more >>"$M/tmpfs/d/f"
echo more >>"$M/7"
mv "$M/tmpfs/3" "$M/three"
mv "$M/three" "$M/tmpfs/3"
find "$M" -exec stat -c '%i %n' {} + | sort | diff "$T/inodes" - || fail "inode numbers changed at copy-up or rename"
remount_view
find "$M" -exec stat -c '%i %n' {} + | sort | diff "$T/inodes" - || fail "inode numbers changed over the remount"
is "$(cat "$M/tmpfs/d/f" | tr '\n' ' ')" "t more "
is "$(cat "$L/tmpfs/d/f")" t

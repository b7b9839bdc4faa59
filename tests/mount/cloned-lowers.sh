#!/bin/sh
# Two lowers that are copies of one image, with one UUID and the same inode numbers: a change in one is none in the other.
. "$HERE/lib.sh"
requires_root
requires_program mkfs.ext4 truncate
mkdir "$T/a" "$T/b"
truncate -s 8M "$T/a.img"
mkfs.ext4 -q -F -O ^has_journal "$T/a.img"
mount -o loop "$T/a.img" "$T/a" 2>/dev/null || skip "needs loop devices"
mkdir "$T/a/x"
echo one >"$T/a/x/f"
ln "$T/a/x/f" "$T/a/x/f2"
umount "$T/a"
cp "$T/a.img" "$T/b.img"
mount -o loop "$T/a.img" "$T/a"
mount -o loop "$T/b.img" "$T/b"
mv "$T/b/x/f" "$T/b/x/g"
mv "$T/b/x/f2" "$T/b/x/g2"
echo two >"$T/b/x/g"
is "$(stat -c %i "$T/a/x/f")" "$(stat -c %i "$T/b/x/g")" "inode numbers"
check() {
	is "$(cat "$M/x/f")" "$1" f
	is "$(cat "$M/x/g")" "$2" g
	is "$(cat "$M/x/g2")" two g2
	is "$(cat "$M/x/f2")" one f2
}
mount_view "$T/a:$T/b"
check one two
echo changed >"$M/x/f"
check changed two
echo overwritten >"$M/x/g"
check changed overwritten
unmount_view
mount_view "$T/a:$T/b"
check changed overwritten
unmount_view

# One of them alone keeps its links together.
rm -rf "$U" "$W"
mkdir "$U" "$W"
mount_view "$T/a"
echo changed >"$M/x/f"
is "$(cat "$M/x/f2")" changed "the other link"
unmount_view
umount "$T/a" "$T/b"

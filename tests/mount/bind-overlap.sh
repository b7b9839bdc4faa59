#!/bin/sh
# Layers that lie in each other by way of a bind mount are refused, as those that do by their names are.
. "$HERE/lib.sh"
requires_root
requires_osfuse
mkdir -p "$L/sub/up" "$L/sub/w/wk" "$L/empty" "$T/a b" "$T/fs" "$U/sub/low" "$T/o"
refused() { # PATTERN LOWER UPPER WORK
	fails 1 "$1" mount_view "$2" "$3" "$4"
	! mounted || fail "mounted all the same"
}

# upper and work directory, reached by another mount of a part of the lower; its name is one that the kernel escapes
mount --bind "$L/sub" "$T/a b"
before=$(sum "$L")
refused "a b/up: upper is inside the lower $L" "$L" "$T/a b/up" "$T/a b/w/wk"
refused "a b/w/wk: work directory is inside the lower $L/sub/w" "$L/sub/w" "$T/a b/up" "$T/a b/w/wk"
is "$(sum "$L")" "$before" "checksum of the lower"
# beside each other they may lie
mkdir "$T/a b/lo"
mount_view "$L/sub/lo" "$T/a b/up" "$T/a b/w/wk"
unmount_view
umount "$T/a b"

# the upper is mounted somewhere in the lower
mount --bind "$U" "$L/empty"
refused "$U: upper is inside the lower $L" "$L" "$U" "$W"
# covered, it is not in it
mount -t tmpfs none "$L/empty"
mount_view
unmount_view
umount "$L/empty"
umount "$L/empty"

# a whole file system that the lower has below it, from elsewhere
mount -t tmpfs none "$T/fs"
mkdir "$T/fs/u" "$T/fs/w"
mount --bind "$T/fs" "$L/empty"
refused "upper is inside the lower $L" "$L" "$T/fs/u" "$T/fs/w"
umount "$L/empty"
mount_view "$L" "$T/fs/u" "$T/fs/w"
unmount_view

# the lower is a part of the upper
mount --bind "$U/sub" "$T/o"
refused "$T/o/low: lower is inside the upper $U" "$T/o/low" "$U" "$W"
umount "$T/o"

# only / may hold everything, wherever it is mounted
mkdir "$T/fs/u2" "$T/fs/w2" "$T/root"
mount --bind / "$T/root"
mount_view / "$T/fs/u2" "$T/fs/w2"
[ -d "$M$T/fs/u" ] || fail "the file system of the upper is not in the view of /"
unmount_view

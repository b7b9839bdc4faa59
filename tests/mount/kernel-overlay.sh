#!/bin/sh
# The kernel's overlayfs mounts our upper, and we mount the kernel's: same trees.
. "$HERE/lib.sh"
requires_overlayfs
requires_program setfacl setfattr
make() {
	mkdir -p "$L/d/sub" "$L/e" "$L/f/g"
	for f in d/a d/b d/sub/s e/old f/g/x top; do
		echo "$f" >"$L/$f"
	done
	ln "$L/top" "$L/hard"
	ln -s d/a "$L/link"
	setfacl -m u:1000:rw "$L/d/a"
	setfattr -n user.k -v v "$L/d/b"
	find "$L" -exec touch -h -d '2001-01-01' {} +
}
change() (
	cd "$1"
	rm d/a
	rm -r e
	mkdir e
	echo new >e/new
	mv f moved
	mv moved/g/x moved/x
	echo more >>hard
	ln hard hard2
	chown 1000:1000 d/b
	chmod 4711 d/sub/s
	setfattr -n user.n -v w d/sub
	setfacl -d -m g:1000:rx d/sub
	mkfifo p
	mknod dev c 1 3
	ln -sf changed link
	truncate -s 5M sparse
	find . -exec touch -h -d '2002-02-02' {} +
)
kernel() {
	mount -t overlay none -o "lowerdir=$L,upperdir=$1,workdir=$2,redirect_dir=on,index=on,xino=on" "$M"
}
make
mount_view
change "$M"
list "$M" >"$T/ours"
unmount_view
kernel "$U" "$W"
list "$M" >"$T/kernels"
diff "$T/ours" "$T/kernels" || fail "the kernel shows our upper otherwise"
umount "$M"

mkdir "$T/u2" "$T/w2"
kernel "$T/u2" "$T/w2"
change "$M"
list "$M" >"$T/kernels"
umount "$M"
mount_view "$L" "$T/u2" "$T/w2"
list "$M" >"$T/ours"
diff "$T/kernels" "$T/ours" || fail "we show the kernel's upper otherwise"

#!/bin/sh
# Changes of attributes leave the data in the lower, in the way of kernel overlayfs: each reads what the other has made.
. "$HERE/lib.sh"
requires_overlayfs
requires_osfuse
requires_program setfattr getfattr
mkdir -p "$L/d/sub" "$T/u2" "$T/w2" "$T/u3" "$T/w3"
big() {
	"$PYTHON" -c 'import random, sys; sys.stdout.buffer.write(random.Random(sys.argv[1]).randbytes(int(sys.argv[2])))' "$1" "$2"
}
for f in d/mode d/owner d/moved d/sub/deep d/linked d/part d/cut d/empty d/attr two; do
	big $f 300000 >"$L/$f"
done
echo small >"$L/small"
ln "$L/two" "$L/d/two"
find "$L" -exec touch -h -d '2001-01-01' {} +
sum "$L" >"$T/sum"
kernel() { # LOWERS UPPER WORK
	mount -t overlay none -o "lowerdir=$1,upperdir=$2,workdir=$3,metacopy=on,redirect_dir=on,index=on,xino=on" "$M"
}
ours() {
	mount_view "$1" "$2" "$3" "$M" -o metacopy=on
}
attributes() (
	cd "$1"
	chmod 600 d/mode small
	chown 1000:1000 d/owner d/part d/cut d/empty
	setfattr -n user.k -v v d/attr
	mv d/moved moved
	mv d/sub sub
	chmod 640 sub/deep two
	mv sub/deep deep
	ln d/linked d/linked2
	rm d/linked
	touch -h -d "2002-02-02" d/mode # without -h it opens the file to write
)
data() (
	cd "$1"
	printf middle | dd of=d/part bs=1 seek=100000 conv=notrunc 2>/dev/null
	truncate -s 1000 d/cut
	: >d/empty
	echo end >>d/two
	echo end >>deep
	echo end >>moved
	find . -exec touch -h -d '2003-03-03' {} +
)
seen() { # WHO: what is mounted, which must be the same whoever looks
	list "$M" >"$T/$1"
	if grep -q " $M overlay " /proc/self/mounts; then
		umount "$M"
	else
		unmount_view
	fi
}
same() {
	diff "$T/$1" "$T/$2" >&2 || fail "$1 and $2 differ"
}

# Ours, read and gone on with by the kernel, and by us again.
ours "$L" "$U" "$W"
attributes "$M"
[ "$(blocks_kib "$U")" -lt 200 ] || fail "data was copied: $(blocks_kib "$U") KiB"
is "$(getfattr -h --absolute-names --only-values -n trusted.overlay.redirect "$U/deep")" /d/sub/deep redirect
[ "$(stat -c %b "$M/d/mode")" -ge 585 ] || fail "looks like a hole"
cmp "$M/moved" "$L/d/moved"
seen ours
kernel "$L" "$U" "$W"
seen kernels
same ours kernels
kernel "$L" "$U" "$W"
data "$M"
seen data-by-kernel
ours "$L" "$U" "$W"
seen data-by-us
same data-by-kernel data-by-us

# The kernel's, read and gone on with by us, and by the kernel again.
kernel "$L" "$T/u2" "$T/w2"
attributes "$M"
seen kernels
ours "$L" "$T/u2" "$T/w2"
seen ours
same kernels ours
ours "$L" "$T/u2" "$T/w2"
[ "$(stat -c %b "$M/d/mode")" -ge 585 ] || fail "looks like a hole"
mv "$M/d/owner" "$M/owner" # the kernel left it without a redirect
ln "$M/d/attr" "$M/attr"
data "$M"
seen data-by-us
kernel "$L" "$T/u2" "$T/w2"
seen data-by-kernel
same data-by-us data-by-kernel

# A layer in the middle that the kernel has made; and the other way round, one of ours.
kernel "$L" "$T/u3" "$T/w3"
attributes "$M"
umount "$M"
mount -t overlay none -o "lowerdir=$T/u3:$L,metacopy=on,redirect_dir=on,xino=on" "$M" # hard links: the index is not with the layer
seen kernels
mkdir "$T/u4" "$T/w4" "$T/u5" "$T/w5"
ours "$T/u3:$L" "$T/u4" "$T/w4"
list "$M" >"$T/ours"
same kernels ours
chmod 604 "$M/d/mode" "$M/deep" "$M/two"
mv "$M/moved" "$M/again"
cmp "$M/again" "$L/d/moved"
cmp "$M/deep" "$L/d/sub/deep"
seen ours
kernel "$T/u3:$L" "$T/u4" "$T/w4"
seen kernels
same ours kernels
kernel "$T/u4:$T/u3:$L" "$T/u5" "$T/w5"
seen kernels
ours "$T/u4:$T/u3:$L" "$T/u5" "$T/w5"
data2() {
	echo end >>"$M/again"
	echo end >>"$M/deep"
}
list "$M" >"$T/ours"
same kernels ours
data2
unmount_view
{ cat "$L/d/sub/deep"; echo end; } | cmp - "$T/u5/deep"

# Descriptors and mappings from before see what is written after, over both steps.
rm -rf "$U" "$W"
mkdir "$U" "$W"
ours "$L" "$U" "$W"
python - "$M" "$U" <<'PY'
import mmap, os, sys
m, u = sys.argv[1:]
path = m + "/d/part"
fd = os.open(path, os.O_RDONLY)
lower = os.pread(fd, 300000, 0)
shown = mmap.mmap(fd, 300000, prot=mmap.PROT_READ)
os.fchmod(fd, 0o611)
assert os.fstat(fd).st_mode & 0o7777 == 0o611
assert os.getxattr(u + "/d/part", "trusted.overlay.metacopy") == b""
assert shown[:] == lower == os.pread(fd, 300000, 0)
os.fsync(fd)
w = os.open(path, os.O_RDWR)
before = os.stat(path)
os.pwrite(w, b"written", 1000)
assert os.pread(fd, 7, 1000) == b"written" == shown[1000:1007]
rw = mmap.mmap(w, 300000)
rw[200000:200006] = b"mapped"
rw.flush()
assert os.pread(fd, 6, 200000) == b"mapped" == shown[200000:200006]
assert shown[300:1000] == lower[300:1000]
os.fdatasync(w)
assert os.fstat(fd).st_ino == os.fstat(w).st_ino == before.st_ino
# unlinked between
path = m + "/d/cut"
fd = os.open(path, os.O_RDONLY)
os.chmod(path, 0o600)
os.unlink(path)
again = os.open("/proc/self/fd/%d" % fd, os.O_RDWR)
os.pwrite(again, b"gone", 0)
assert os.pread(fd, 300000, 0) == b"gone" + open(sys.argv[1] + "/../lower/d/cut", "rb").read()[4:]
PY
unmount_view

is "$(sum "$L")" "$(cat "$T/sum")" "the lower"

# Killed while the data is on its way: all of it is there, whoever mounts next.
big huge 200000000 >"$L/huge"
ours "$L" "$U" "$W"
chmod 600 "$M/huge"
for wait in 0.02 0.05 0.1 0.2; do
	( exec 3<>"$M/huge" ) 2>/dev/null &
	writer=$!
	sleep $wait
	for p in $(daemon_pids); do
		kill -9 "$p"
		wait_for ended "$p"
	done
	wait $writer || true
	echo "killed after $wait s: $(getfattr -h -n trusted.overlay.metacopy "$U/huge" >/dev/null 2>&1 && echo without data || echo whole)"
	ours "$L" "$U" "$W"
	cmp "$M/huge" "$L/huge"
	is "$(stat -c %a "$M/huge")" 600 mode
done
unmount_view
kernel "$L" "$U" "$W"
cmp "$M/huge" "$L/huge"
umount "$M"

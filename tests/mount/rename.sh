#!/bin/sh
# Renames of lower and upper objects, in all variants, survive a remount.
. "$HERE/lib.sh"
mkdir -p "$L/dir/sub" "$L/full" "$L/other"
echo f >"$L/dir/f"
echo s >"$L/dir/sub/s"
echo x >"$L/full/x"
echo a >"$L/a"
echo b >"$L/b"
mount_view
python - "$M" <<'PY'
import ctypes, errno, os, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)

def rename(a, b, flags=0):
    r = libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
    return 0 if r == 0 else ctypes.get_errno()

def expect(got, want, what):
    assert got == want, "%s: %s, not %s" % (what, errno.errorcode.get(got, got), errno.errorcode.get(want, want))

NOREPLACE, EXCHANGE = 1, 2
inodes = {n: os.stat(n).st_ino for n in ("a", "b", "dir", "dir/f", "dir/sub/s")}
expect(rename("a", "b", NOREPLACE), errno.EEXIST, "NOREPLACE onto a file")
expect(rename("a", "b", EXCHANGE), 0, "EXCHANGE")
assert open("a").read() == "b\n" and open("b").read() == "a\n"
assert os.stat("b").st_ino == inodes["a"] and os.stat("a").st_ino == inodes["b"]
expect(rename("a", "none", EXCHANGE), errno.ENOENT, "EXCHANGE with nothing")
expect(rename("dir", "dir/sub/in", 0), errno.EINVAL, "into itself")
expect(rename("dir", "full", 0), errno.ENOTEMPTY, "onto a full directory")
expect(rename("dir", "a", 0), errno.ENOTDIR, "directory onto file")
expect(rename("a", "dir", 0), errno.EISDIR, "file onto directory")
expect(rename("dir", "other", 0), 0, "lower directory onto an empty one")
assert os.stat("other").st_ino == inodes["dir"] and os.stat("other/sub/s").st_ino == inodes["dir/sub/s"]
expect(rename("other", "full/moved", NOREPLACE), 0, "lower directory elsewhere")
expect(rename("full/moved/sub", "b", EXCHANGE), 0, "directory exchanged with a file")
assert open("full/moved/sub").read() == "a\n" and open("b/s").read() == "s\n"
os.mkdir("dir")
assert os.listdir("dir") == []
PY
check() {
	is "$(cd "$M" && find . | sort | tr '\n' ' ')" \
		". ./a ./b ./b/s ./dir ./full ./full/moved ./full/moved/f ./full/moved/sub ./full/x "
	is "$(cat "$M/a" "$M/b/s" "$M/full/moved/f" "$M/full/moved/sub" "$M/full/x" | tr '\n' ' ')" "b s f a x "
}
check
remount_view
check
rm -r "$M/full"
remount_view
is "$(ls "$M" | tr '\n' ' ')" "a b dir "

#!/bin/sh
# Attributes, modes, owners and times set through the view never reach what a symbolic link of a layer points at.
. "$HERE/lib.sh"
mkdir "$T/outside"
echo outside >"$T/outside/f"
ln -s "$T/outside/f" "$L/link"
ln -s "$M/inside" "$L/self"
ln -s ../outside "$L/dirlink"
ln -s loop "$L/loop"
echo in >"$L/inside"
before=$(sum "$T/outside")
mount_view
python - "$M" "$(id -u)" <<'PY'
import errno, os, sys
os.chdir(sys.argv[1])
root = sys.argv[2] == "0"

def error(f, *args, **kw):
    try:
        f(*args, **kw)
        return 0
    except OSError as e:
        return e.errno

for link in ("link", "self", "dirlink", "loop"):
    assert error(os.setxattr, link, "user.x", b"v", follow_symlinks=False) == errno.EPERM, link
    assert error(os.getxattr, link, "user.x", follow_symlinks=False) in (errno.ENODATA, errno.EPERM), link
    assert os.listxattr(link, follow_symlinks=False) == [], link
    if root:
        os.setxattr(link, "trusted.x", b"v", follow_symlinks=False)
        assert os.getxattr(link, "trusted.x", follow_symlinks=False) == b"v"
        os.removexattr(link, "trusted.x", follow_symlinks=False)
        os.chown(link, 1234, 1234, follow_symlinks=False)
        assert os.lstat(link).st_uid == 1234
    os.utime(link, (1, 1), follow_symlinks=False)
    assert os.lstat(link).st_mtime == 1
    os.rename(link, link + "2")
    os.link(link + "2", link, follow_symlinks=False)
assert error(os.stat, "loop") == errno.ELOOP
assert os.listxattr("inside") == []
os.setxattr("self", "user.x", b"v")  # through the mount itself
assert os.getxattr("inside", "user.x") == b"v"
PY
is "$(sum "$T/outside")" "$before" "what lies outside"
is "$(ls "$M" | wc -l)" 9

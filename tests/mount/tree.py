#!/usr/bin/env python3
"""Whole trees: random layers, exact copies, checksums, mounts.

tree.py sum DIR...   one checksum over everything of the trees but inode numbers and atime
tree.py list DIR     a line an object, with what must be equal in two mounts of the same changes
"""

import ctypes
import hashlib
import os
import shutil
import stat
import struct
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
MNT_DETACH, CLONE_NEWNS, MS_REC_PRIVATE = 2, 0x20000, 0x44000
USER, GROUPS = 1000, [1000, 1001]
OLD = 1_000_000_000  # the lowers' times, in seconds: nothing a step does by itself is that old
OPTIONS = os.environ.get("OVERLAY_OPTIONS", "")  # ",metacopy=on": for both kinds of mount, with a comma before each
NAMES = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"n" * 255, b"\xff\xfe\x80", b"sp ace\n", b"m" * 254 + b"~"]
if "metacopy=on" in OPTIONS:  # on long paths the kernel renames and links no files without data: they would soon be all that is left
    NAMES = [n if len(n) < 100 else n[:100] for n in NAMES]
MODES = [0o644, 0o600, 0o755, 0o777, 0o4755, 0o2755, 0o444, 0o2777, 0o1777, 0o000, 0o700]
XATTRS = ["user.a", "user.b", "user.long" + "x" * 200, "trusted.t", "security.capability"]


def call(name, *args):
    r = getattr(libc, name)(*args)
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def acl(user_perm, mask, default_group=5):
    """A blob with one named user: the layout of system.posix_acl_*."""
    entries = [(1, 7, -1), (2, user_perm, USER), (4, default_group, -1), (16, mask, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries)


CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service=ep


STATX = struct.Struct("<80xqI")  # up to and including stx_btime


def birth(path):
    """When the object was made: with the inode number, who it is. ext4 gives a number again at once."""
    buf = ctypes.create_string_buffer(256)
    call("statx", AT_FDCWD, path, 0x100, 0x800, buf)
    return STATX.unpack_from(buf)


def short(value):
    text = repr(value)
    for c in "nmxh":
        for n in (4096, 300, 256, 255, 254, 200):
            text = text.replace(c * n, "<%d %s>" % (n, c))
    return text if len(text) < 700 else text[:340] + " … " + text[-340:]


def fill_layer(rng, root, below):
    """One lower: names collide between layers on purpose. Whiteouts only where they cover something: others show in the
    kernel's listings as names that do not exist."""
    root = os.fsencode(root)
    dirs, files, bottom = [root], [], below is None
    opaque = set()
    for _ in range(rng.randint(8, 20)):
        parent = rng.choice(dirs)
        path = parent + b"/" + rng.choice(NAMES)
        if os.path.lexists(path) or path.count(b"/") > root.count(b"/") + 4:
            continue
        kind = rng.choices(["file", "dir", "symlink", "fifo", "link", "whiteout"], [8, 6, 3, 1, 2, 0 if bottom else 2])[0]
        if kind == "file":
            with open(path, "wb") as f:
                size = rng.choice([0, 10, 5000, 70000])
                f.write(bytes([rng.randrange(256)]) * size)
                if rng.random() < 0.2:
                    f.truncate(300000)
                    f.seek(200000)
                    f.write(b"island")
            files.append(path)
        elif kind == "dir":
            os.mkdir(path)
            dirs.append(path)
            if parent in opaque:
                opaque.add(path)
            elif not bottom and rng.random() < 0.25:
                os.setxattr(path, "trusted.overlay.opaque", b"y")
                opaque.add(path)
            if rng.random() < 0.15:
                os.setxattr(path, "system.posix_acl_default", acl(rng.randrange(8), 7))
        elif kind == "symlink":
            os.symlink(rng.choice(NAMES[:8] + [b"a/b", b"missing", b"."]), path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "whiteout":
            if parent not in opaque and os.path.lexists(os.fsencode(below) + path[len(root):]):
                os.mknod(path, stat.S_IFCHR, 0)
            continue
        elif files:
            os.link(rng.choice(files), path)
            continue
        else:
            continue
        if kind != "symlink":
            os.chown(path, rng.choice([0, 0, USER]), rng.choice([0, USER, GROUPS[1]]))
            os.chmod(path, rng.choice(MODES[:8]) | (0o700 if kind == "dir" else 0))
            if kind != "fifo" and rng.random() < 0.2:
                os.setxattr(path, "user.a", b"lower")
            if kind == "file" and rng.random() < 0.1:
                os.setxattr(path, "security.capability", CAPABILITY)
    for base, names, leaves in os.walk(root, topdown=False):
        for n in leaves + names:
            os.utime(base + b"/" + n, ns=(OLD * 10**9,) * 2, follow_symlinks=False)
    os.utime(root, ns=(OLD * 10**9,) * 2)


def copy_tree(src, dst):
    """A copy with everything a comparison looks at: hard links, owners, xattrs, times."""
    links = {}

    def attributes(a, b, st):
        os.chown(b, st.st_uid, st.st_gid, follow_symlinks=False)
        if not stat.S_ISLNK(st.st_mode):
            os.chmod(b, stat.S_IMODE(st.st_mode))
        for n in os.listxattr(a, follow_symlinks=False):
            os.setxattr(b, n, os.getxattr(a, n, follow_symlinks=False), follow_symlinks=False)
        os.utime(b, ns=(st.st_atime_ns, st.st_mtime_ns), follow_symlinks=False)

    def one(a, b):
        try:
            st = os.lstat(a)
        except FileNotFoundError:
            return  # kernel overlayfs lists the whiteouts of a directory that no other layer has
        if stat.S_ISDIR(st.st_mode):
            if not os.path.isdir(b):
                os.mkdir(b)
            for n in os.listdir(a):
                one(a + b"/" + n, b + b"/" + n)
        elif st.st_nlink > 1 and st.st_ino in links:
            os.link(links[st.st_ino], b, follow_symlinks=False)
            return
        elif stat.S_ISLNK(st.st_mode):
            os.symlink(os.readlink(a), b)
        elif stat.S_ISREG(st.st_mode):
            shutil.copyfile(a, b)
        else:
            os.mknod(b, st.st_mode, st.st_rdev)
        links[st.st_ino] = b
        attributes(a, b, st)

    one(os.fsencode(src), os.fsencode(dst))


def mount_a(lowers, upper, work, mnt):
    custom = os.environ.get("OSFUSE_MOUNT_CMD")
    if custom:
        cmd = ["sh", "-c", custom + ' "$@"', "sh", ":".join(lowers), upper, work, mnt]
    else:
        options = "lowerdir=%s,upperdir=%s,workdir=%s,allow_other" % (":".join(lowers), upper, work) + OPTIONS
        cmd = [os.environ.get("OSFUSE", "osfuse"), "differential", mnt, "-o", options]
    subprocess.run(cmd, check=True, stdin=subprocess.DEVNULL)


def mount_b(lowers, upper, work, mnt):
    options = "lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on,index=on,xino=on" % (":".join(lowers), upper, work) + OPTIONS
    subprocess.run(["mount", "-t", "overlay", "none", "-o", options, mnt], check=True)


def unmount(mnt, flags=0):
    call("umount2", os.fsencode(mnt), flags)


def daemon_pids():
    """Who serves FUSE mounts, as far as this process namespace goes."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink("/proc/%s/fd/%s" % (pid, fd)) == "/dev/fuse" for fd in os.listdir("/proc/%s/fd" % pid)):
                yield int(pid)
        except OSError:
            pass


def xattrs(path):
    """All but overlayfs's own, which are shown to nobody."""
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {n: os.getxattr(path, n, follow_symlinks=False) for n in names
            if not n.startswith(("trusted.overlay.", "user.overlay.", "security.selinux"))}


def checksum(root):
    h = hashlib.sha256()
    for base, dirs, files in os.walk(os.fsencode(root)):
        dirs.sort()
        for n in [b"."] + sorted(dirs + files):
            p = os.path.join(base, n)
            st = os.lstat(p)
            h.update(repr((p, st[:7], st.st_mtime_ns, st.st_ctime_ns, [(x, os.getxattr(p, x, follow_symlinks=False))
                           for x in sorted(os.listxattr(p, follow_symlinks=False))])).encode())
            if stat.S_ISREG(st.st_mode):
                with open(p, "rb") as f:
                    h.update(f.read())
    return h.hexdigest()


def listing(root):
    """One line an object: names, types, owners, modes, links, sizes, times, attributes and contents."""
    root = os.fsencode(root)
    for base, dirs, files in os.walk(root):
        dirs.sort()
        for n in sorted(dirs + files):
            p = os.path.join(base, n)
            st = os.lstat(p)
            is_dir, content = stat.S_ISDIR(st.st_mode), ""
            if stat.S_ISLNK(st.st_mode):
                content = os.readlink(p)
            elif stat.S_ISREG(st.st_mode):
                with open(p, "rb") as f:
                    content = hashlib.md5(f.read()).hexdigest()
            yield repr((p[len(root):], oct(st.st_mode), st.st_uid, st.st_gid, st.st_rdev, is_dir or st.st_nlink, is_dir or st.st_size,
                        st.st_mtime_ns, xattrs(p), content))


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "sum":
        print(" ".join(checksum(p) for p in sys.argv[2:]))
    elif len(sys.argv) == 3 and sys.argv[1] == "list":
        print("\n".join(listing(sys.argv[2])))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Ways around a rule: by ".." and /proc, descriptors, file handles, mounts of the view and in the lower, another root."""

import ctypes
import errno
import mmap
import os
import socket
import stat
import subprocess
import sys

from sandbox import AS_ROOT, T, Sandbox, write_file
from tree import AT_FDCWD, call, libc

POLICY = """
hide  /secret /d/key
deny  /denied /closed
ro    /ro
noexec /tool
hide  /gate
cow   /gate/open
"""
SECRET = "SECRET"
AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_HANDLE_FID = 0x1000, 0x400, 0x200
MOUNT_ID = ctypes.c_int(0)
wrong = []


class Handle(ctypes.Structure):
    _fields_ = [("handle_bytes", ctypes.c_uint), ("handle_type", ctypes.c_int), ("f_handle", ctypes.c_ubyte * 128)]


def make(box):
    for path in ("secret", "d/key", "denied", "closed/f", "gate/key", "gate/sub/f"):
        write_file(os.path.join(box.lower, path), SECRET)
    for path in ("f", "d/f", "ro/f", "gate/open/f"):
        write_file(os.path.join(box.lower, path), "open")
    write_file(os.path.join(box.lower, "tool"), "#!/bin/true\n", 0o755)
    os.symlink("/secret", os.path.join(box.lower, "abs"))
    os.symlink("../../../../secret", os.path.join(box.lower, "d/up"))


def expect(what, want, function, *args, **kwargs):
    """want: an errno, "ok", or what reading gives; a set of them where the kernel chooses."""
    try:
        got = function(*args, **kwargs)
        got = got if isinstance(got, str) else "ok"
    except OSError as e:
        got = errno.errorcode[e.errno]
    if got not in ({want} if isinstance(want, str) else want):
        wrong.append("%s: %s, not %s" % (what, got, want))


def read(path, dir_fd=None):
    fd = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
    try:
        return os.read(fd, 100).decode()
    finally:
        os.close(fd)


def dots(mnt):
    up = "../" * (mnt.count("/") + 5)
    for path, want in (("d/../secret", "ENOENT"), ("d/./.././secret", "ENOENT"), ("secret/../f", "ENOENT"), ("d/../f", "open"),
                       (up + mnt + "/secret", "ENOENT"), (up + mnt + "/f", "open"), ("gate/open/../key", "ENOENT"),
                       ("gate/open/../../secret", "ENOENT"), ("gate/sub/../open/f", "ENOENT"), ("closed/../f", "open"),
                       ("gate/open/../open/f", "open"), ("d//key", "ENOENT"), ("d/key/", "ENOENT"), ("denied/.", "ENOTDIR"),
                       ("d/up", "ENOENT")):
        expect("path " + path, want, read, path)
    os.chdir("gate/open")
    for path, want in (("../key", "ENOENT"), ("../../secret", "ENOENT"), ("../../d/key", "ENOENT"), ("../../f", "open")):
        expect("from below: " + path, want, read, path)
    os.chdir(mnt)


def proc(mnt):
    for prefix in ("/proc/self/cwd", "/proc/self/root" + mnt, "/proc/%d/cwd" % os.getpid(), "/proc/thread-self/cwd",
                   "/proc/self/root/proc/self/cwd"):
        for path, want in (("secret", "ENOENT"), ("d/key", "ENOENT"), ("denied", "EACCES"), ("closed/f", "EACCES"), ("f", "open")):
            expect(prefix + "/" + path, want, read, prefix + "/" + path)
    fd = os.open("d", os.O_RDONLY | os.O_DIRECTORY)
    expect("/proc/self/fd", "ENOENT", read, "/proc/self/fd/%d/key" % fd)
    expect("/proc/self/fd, ..", "ENOENT", read, "/proc/self/fd/%d/../secret" % fd)
    expect("/proc/self/fd", "open", read, "/proc/self/fd/%d/f" % fd)
    os.close(fd)
    for path, want in (("denied", "EACCES"), ("ro/f", "open"), ("f", "open")):
        fd = os.open(path, os.O_PATH)
        expect("reopened " + path, want, read, "/proc/self/fd/%d" % fd)
        os.close(fd)
    fd = os.open("ro/f", os.O_RDONLY)
    expect("reopened to write", "EROFS", os.open, "/proc/self/fd/%d" % fd, os.O_RDWR)
    expect("reopened to truncate", "EROFS", os.truncate, "/proc/self/fd/%d" % fd, 0)
    expect("chmod by descriptor", "EROFS", os.fchmod, fd, 0o600)
    expect("times by descriptor", "EROFS", os.utime, fd, (5, 5))
    expect("attributes by descriptor", "EROFS", os.setxattr, fd, "user.a", b"b")
    os.close(fd)


def o_path(mnt):
    for directory, name, want in (("d", "key", "ENOENT"), (".", "secret", "ENOENT"), ("closed", "f", "EACCES"),
                                  ("gate", "key", "ENOENT"), ("gate", "../secret", "ENOENT"), ("gate/open", "../key", "ENOENT")):
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        expect("openat %s, %s" % (directory, name), want, read, name, dir_fd=fd)
        expect("fstatat %s, %s" % (directory, name), want, os.stat, name, dir_fd=fd)
        expect("linkat %s, %s" % (directory, name), want, os.link, name, "linked", src_dir_fd=fd)
        os.fchdir(fd)
        expect("fchdir %s, %s" % (directory, name), want, read, name)
        os.chdir(mnt)
        os.close(fd)
    fd = os.open("closed", os.O_PATH | os.O_DIRECTORY)
    expect("made in what is denied", "EACCES", os.open, "new", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    expect("renamed into what is denied", "EACCES", os.rename, "f", "f", dst_dir_fd=fd)
    expect("listed", "EACCES", os.listdir, "/proc/self/fd/%d" % fd)
    os.close(fd)
    fd = os.open("denied", os.O_PATH)
    expect("link of a descriptor", "EACCES", call, "linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, b"linked", AT_SYMLINK_FOLLOW)
    expect("link of a descriptor, empty path", {"EACCES", "ENOENT"}, call, "linkat", fd, b"", AT_FDCWD, b"linked", AT_EMPTY_PATH)
    expect("attribute", "EACCES", os.getxattr, "/proc/self/fd/%d" % fd, "user.a")
    expect("chmod", "EACCES", os.chmod, "/proc/self/fd/%d" % fd, 0o777)
    expect("run", "EACCES", subprocess.run, ["/proc/self/fd/%d" % fd], pass_fds=[fd])
    os.close(fd)
    fd = os.open("tool", os.O_PATH)
    expect("noexec by descriptor", "EACCES", subprocess.run, ["/proc/self/fd/%d" % fd], pass_fds=[fd])
    os.close(fd)
    fd = os.open("f", os.O_RDONLY)
    expect("link onto a hidden name", "EACCES", call, "linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, b"secret", AT_SYMLINK_FOLLOW)
    os.close(fd)


def handle_of(path):
    h = Handle(handle_bytes=128)
    call("name_to_handle_at", AT_FDCWD, os.fsencode(path), ctypes.byref(h), ctypes.byref(MOUNT_ID), 0)
    return h


def open_handle(mount_fd, h, flags=os.O_RDONLY):
    fd = call("open_by_handle_at", mount_fd, ctypes.byref(h), flags)
    try:
        return os.read(fd, 100).decode() if stat.S_ISREG(os.fstat(fd).st_mode) else str(sorted(os.listdir(fd)))
    finally:
        os.close(fd)


def handles(box):
    """Taken while it was allowed, used when it is not any more; and made up."""
    expect("handle of what is hidden", "ENOENT", handle_of, "secret")
    box.reload("")
    try:
        kept = {path: handle_of(path) for path in ("secret", "d/key", "denied", "ro/f", "gate", "gate/key", "f", "closed")}
    except OSError as e:
        if e.errno not in (errno.EOPNOTSUPP, errno.EOVERFLOW):
            raise
        print("no file handles here")
        box.reload(POLICY)
        return
    mount_fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    held = [os.open(path, os.O_PATH) for path in kept]
    box.reload(POLICY)
    for path, want in (("secret", {"ENOENT", "EACCES", "ESTALE"}), ("d/key", {"ENOENT", "EACCES", "ESTALE"}),
                       ("gate/key", {"ENOENT", "EACCES", "ESTALE"}), ("denied", {"EACCES", "ESTALE"}), ("f", {"open", "ESTALE"}),
                       ("gate", {"['open']", "ESTALE"}), ("closed", {"EACCES", "ESTALE"}), ("ro/f", {"open", "ESTALE"})):
        expect("handle of " + path, want, open_handle, mount_fd, kept[path])
    expect("handle to write", {"EROFS", "ESTALE"}, open_handle, mount_fd, kept["ro/f"], os.O_RDWR)
    for fd in held:
        os.close(fd)
    # Any number that might be a node.
    h = kept["f"]
    for node in range(1, 64):
        for generation in range(0, 3):
            ctypes.memmove(h.f_handle, node.to_bytes(8, "big") + generation.to_bytes(4, "little"), 12)
            try:
                if SECRET in open_handle(mount_fd, h):
                    wrong.append("a made-up handle opens something hidden")
            except OSError:
                pass
    os.close(mount_fd)


def in_child(function, *args):
    """Where something about the process changes for good."""
    pid = os.fork()
    if pid == 0:
        before = len(wrong)
        try:
            function(*args)
        except BaseException as e:  # whatever it is, it is a failure
            wrong.append("%s: %r" % (function.__name__, e))
        for text in wrong[before:]:
            print(text, flush=True)
        os._exit(len(wrong) > before)
    if os.waitpid(pid, 0)[1]:
        wrong.append("in a child: " + function.__name__)


def rooted(mnt):
    outside = os.open("/", os.O_PATH | os.O_DIRECTORY)
    os.chroot(mnt)
    os.chdir("/")
    for path, want in (("/secret", "ENOENT"), ("abs", "ENOENT"), ("d/up", "ENOENT"), ("../../secret", "ENOENT"), ("/denied", "EACCES"),
                       ("/gate/key", "ENOENT"), ("/f", "open"), ("/gate/open/../../f", "open")):
        expect("in a root of its own: " + path, want, read, path)
    expect("from outside", "ENOENT", read, mnt[1:] + "/secret", dir_fd=outside)


def bound(box):
    """The view bound elsewhere, and seen through another file system."""
    there = os.path.join(T, "bound")
    os.makedirs(there, exist_ok=True)
    for source in ("d", "gate", "closed", "."):
        subprocess.run(["mount", "--bind", os.path.join(box.mnt, source), there], check=True)
        for name in ("key", "secret", "d/key", "f", "gate/key"):
            path = os.path.normpath(source + "/" + name)
            try:
                want = read(path)
            except OSError as e:
                want = errno.errorcode[e.errno]
            expect("bound %s/%s" % (source, name), want, read, there + "/" + name)
            if want == SECRET:
                wrong.append(path + " is read")
        subprocess.run(["umount", there], check=True)
    for target in ("secret", "gate/key"):
        status = subprocess.run(["mount", "--bind", box.mnt + "/f", box.mnt + "/" + target], stderr=subprocess.DEVNULL, check=False)
        if status.returncode == 0:
            wrong.append("something is mounted on " + target)
    upper, work, over = (os.path.join(T, "over", d) for d in ("upper", "work", "mnt"))
    for d in (upper, work, over):
        os.makedirs(d)
    options = "lowerdir=%s,upperdir=%s,workdir=%s" % (box.mnt, upper, work)
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, over], stderr=subprocess.DEVNULL, check=False).returncode:
        print("no overlayfs over the view")
        return
    expect("overlayfs", "ENOENT", read, over + "/secret")
    expect("overlayfs", "EACCES", read, over + "/denied")
    expect("overlayfs", "open", read, over + "/f")
    subprocess.run(["umount", over], check=True)


def bound_lower():
    """One directory in two places of the lower, under different rules: what is true of the one place is not of the other."""
    box = Sandbox("twice", "hide /a/secret\nro /b\nhide /c\n")
    write_file(os.path.join(box.lower, "a/secret"), SECRET)
    write_file(os.path.join(box.lower, "a/f"), "text")
    write_file(os.path.join(box.lower, "a/sub/g"), "text")
    for d in ("b", "c", "d"):
        os.mkdir(os.path.join(box.lower, d))
        subprocess.run(["mount", "--bind", os.path.join(box.lower, "a"), os.path.join(box.lower, d)], check=True)
    box.mount()
    os.chdir(box.mnt)
    if os.listdir("b"):
        for _ in range(2):
            expect("bound in the lower: the one", SECRET, read, "b/secret")
            expect("bound in the lower: hidden", "ENOENT", read, "a/secret")
            expect("bound in the lower: .. ", "ENOENT", read, "b/../a/secret")
            expect("bound in the lower: hidden altogether", "ENOENT", read, "c/secret")
            expect("bound in the lower: no rule", SECRET, read, "d/secret")
            if sorted(os.listdir("a")) != ["f", "sub"] or sorted(os.listdir("b")) != ["f", "secret", "sub"]:
                wrong.append("bound in the lower: lists %s and %s" % (os.listdir("a"), os.listdir("b")))
            expect("bound in the lower: read-only", "EROFS", os.open, "b/f", os.O_WRONLY)
            expect("bound in the lower: read-only", "EROFS", os.mkdir, "b/sub/new")
        fd = os.open("a/f", os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b"new")
        os.close(fd)
        expect("bound in the lower: changed", "new", read, "a/f")
        expect("bound in the lower: not changed", "text", read, "b/f")
        expect("bound in the lower: renamed over", "EACCES", os.rename, "a/f", "a/secret")
        expect("bound in the lower: renamed away", "EROFS", os.rename, "b/secret", "a/s")
        expect("bound in the lower: linked", "EXDEV", os.link, "b/secret", "a/s")
        os.mkdir("a/sub/new")
        if os.listdir("b/sub") != ["g"]:
            wrong.append("bound in the lower: b/sub lists %s" % os.listdir("b/sub"))
    else:
        print("what is mounted in the lower is empty in the view")
    os.chdir("/")
    box.unmount()


def opened(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags))


def connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)


def special():
    """What the kernel opens by itself, without asking the view: devices, also as root, and the view's own sockets."""
    box = Sandbox("special", "")
    for name in ("zero", "null"):
        os.mknod(os.path.join(box.lower, name), stat.S_IFCHR | 0o666, os.makedev(1, {"zero": 5, "null": 3}[name]))
    os.link(os.path.join(box.lower, "zero"), os.path.join(box.lower, "zero2"))
    box.mount("-o", "dev")
    os.chdir(box.mnt)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        server.listen()
        held = os.open("zero", os.O_PATH)
        kept = "/proc/self/fd/%d" % held
        expect("device", "ok", opened, "zero")
        expect("device, kept", "ok", opened, kept)
        expect("socket", "ok", connect, "sock")
        for rule, want in (("deny /zero /null /sock", "EACCES"), ("deny /zero /null /sock errno=ENODEV", "ENODEV"),
                           ("hide /zero /null /sock", "ENOENT")):
            box.reload(rule + "\n")
            for flags in (os.O_RDONLY, os.O_RDWR, os.O_PATH):
                expect("device, " + rule, want, os.open, "zero", flags)
                expect("device never seen, " + rule, want, os.open, "null", flags)
            expect("device, kept, " + rule, want, os.open, kept, os.O_RDONLY)
            expect("socket, " + rule, want, connect, "sock")
            expect("by its other name, " + rule, "ok", opened, "zero2")
        box.reload("noexec /\nro /zero /null\n")
        expect("device, read-only", "ok", opened, "null", os.O_WRONLY)
        expect("device, read-only, kept", "ok", opened, kept)
    os.chdir("/")
    os.close(held)
    box.unmount()


def map_to_run(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        mmap.mmap(fd, 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    finally:
        os.close(fd)


def executable():
    """What noexec does not stop, the mount option does."""
    for options, mapped, run in (((), "ok", "ok"), (("-o", "noexec"), "EPERM", "EACCES")):
        box = Sandbox("exec%d" % len(options), "noexec /tool\n")
        for name in ("tool", "other"):
            write_file(os.path.join(box.lower, name), "#!/bin/true\n", 0o755)
        box.mount(*options)
        for name in ("tool", "other"):
            path = os.path.join(box.mnt, name)
            expect("mapped, %s %s" % (name, options), mapped, map_to_run, path)
            expect("run, %s %s" % (name, options), run if name == "other" else "EACCES", subprocess.run, [path])
        box.unmount()


def appearing(box):
    """What appears in the lower while the view is there, also where its absence is remembered."""
    for path in ("secret2", "d/late"):
        expect("before: " + path, "ENOENT", os.stat, path)
    box.reload(POLICY + "hide /d/late /d/l*\nhide secret2\n")
    write_file(os.path.join(box.lower, "d/late"), SECRET)
    write_file(os.path.join(box.lower, "d/later"), SECRET)
    write_file(os.path.join(box.lower, "secret2"), SECRET)
    os.rename(os.path.join(box.lower, "d/f"), os.path.join(box.lower, "d/late2"))
    for path in ("secret2", "d/late", "d/later", "d/late2"):
        expect("appeared: " + path, "ENOENT", read, path)
    # A directory is exchanged for another one, with names under rules in it.
    os.makedirs(os.path.join(box.lower, "new"))
    write_file(os.path.join(box.lower, "new/key"), SECRET)
    os.rename(os.path.join(box.lower, "d"), os.path.join(box.lower, "old"))
    os.rename(os.path.join(box.lower, "new"), os.path.join(box.lower, "d"))
    expect("exchanged", "ENOENT", read, "d/key")


def main():
    for name in ("name_to_handle_at", "open_by_handle_at"):
        getattr(libc, name).restype = ctypes.c_int
    box = Sandbox("escapes", POLICY)
    make(box)
    box.mount()
    os.chdir(box.mnt)
    dots(box.mnt)
    proc(box.mnt)
    o_path(box.mnt)
    if AS_ROOT:
        handles(box)
        in_child(rooted, box.mnt)
        bound(box)
    appearing(box)
    os.chdir("/")
    box.unmount()
    executable()
    if AS_ROOT:
        bound_lower()
        special()
    for text in wrong:
        print(text)
    return 1 if wrong else 0


sys.exit(main())

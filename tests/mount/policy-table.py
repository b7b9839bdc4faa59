#!/usr/bin/env python3
"""The table of policies, scenario/policy.table, on a real mount with real system calls.

policy-table.py [-v] [WORD]   only the blocks whose titles have the word
"""

import argparse
import ctypes
import errno
import hashlib
import mmap
import os
import re
import shutil
import stat
import subprocess
import sys
import time

from sandbox import AS_ROOT, T, Sandbox, write_file
from tree import AT_FDCWD, call, libc

O_TMPFILE = getattr(os, "O_TMPFILE", 0o20200000)
AT_SYMLINK_FOLLOW, RENAME_NOREPLACE, RENAME_EXCHANGE = 0x400, 1, 2
HOME = "/home/me"
TABLE = os.path.join(os.environ["HERE"], "..", "scenario", "policy.table")
FLAGS = {
    "r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR, "trunc": os.O_TRUNC, "creat": os.O_CREAT, "excl": os.O_EXCL,
    "append": os.O_APPEND, "nofollow": os.O_NOFOLLOW, "path": os.O_PATH, "directory": os.O_DIRECTORY,
}
libc.copy_file_range.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
libc.copy_file_range.restype = ctypes.c_ssize_t


def type_name(mode):
    for test, name in ((stat.S_ISDIR, "dir"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "link"), (stat.S_ISFIFO, "fifo"),
                       (stat.S_ISCHR, "device"), (stat.S_ISSOCK, "socket")):
        if test(mode):
            return name
    return "other"


def names(list_):
    return " ".join(sorted(list_, key=os.fsencode)) or "-"


def flags_of(text):
    value = 0
    for word in text.split(","):
        value |= FLAGS[word]
    return value


def read_dir(fd):
    """Names and their numbers, by the system call: the C library asks for more, and takes ENOENT for the end."""
    buf, found = ctypes.create_string_buffer(65536), {}
    while True:
        n = call("getdents64", fd, buf, len(buf))
        at = 0
        while at < n:
            reclen = int.from_bytes(buf.raw[at + 16:at + 18], "little")
            found[buf.raw[at + 19:at + reclen].split(b"\0")[0]] = int.from_bytes(buf.raw[at:at + 8], "little")
            at += reclen
        if n == 0:
            return found


class Open:
    """A descriptor for the time of a with."""

    def __init__(self, path, flags, mode=0o666, dir_fd=None):
        self.fd = os.open(path, flags, mode, dir_fd=dir_fd)

    def __enter__(self):
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


class Block:
    def __init__(self, title):
        self.title, self.lines = title, []


class Run:
    """One block on one mount. The methods op_* are the operations; what they return is the result, None is "ok"."""

    def __init__(self, block, number):
        self.block, self.n_rows, self.wrong = block, 0, []
        self.box = Sandbox("table%d" % number, home=HOME)
        self.policies = {"policy": "", "policy2": "", "policy3": ""}
        self.kept, self.known, self.changes = {}, {}, set()

    # the text
    def expand(self, word, escapes=True):
        if escapes:  # a policy has its own
            word = re.sub(r"\\([ns])", lambda m: {"n": "\n", "s": " "}[m.group(1)], word)
        word = re.sub(r"\{(.):(\d+)\}", lambda m: m.group(1) * int(m.group(2)), word)
        return word.replace("{T}", self.box.base).replace("{M}", self.box.mnt)

    def words(self, text):
        return [self.expand(w) for w in text.split()]

    def layer(self, layer, path):
        return os.path.normpath(os.path.join(getattr(self.box, layer), path))

    def set_up(self, text):
        """False: the line is not about what is there before."""
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        if word in self.policies:
            self.policies[word] += self.expand(rest, escapes=False) + "\n"
        elif word in ("lower", "below", "upper"):
            if word == "below":
                os.makedirs(self.box.below, exist_ok=True)
            kind, *args = self.words(rest)
            self.set_up_layer(word, kind, args)
        elif word == "host":
            name, text = self.words(rest)
            write_file(os.path.join(self.box.base, name), text)
        elif word == "changes":
            self.changes |= set(self.words(rest))
        else:
            return False
        return True

    def set_up_layer(self, layer, kind, args):
        path = self.layer(layer, args[1] if kind in ("link", "symlink") else args[0])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "file":
            write_file(path, args[1])
        elif kind == "program":
            write_file(path, "#!/bin/true\n", 0o755)
        elif kind == "dir":
            os.makedirs(path, exist_ok=True)
        elif kind == "link":
            os.link(self.layer(layer, args[0]), path)
        elif kind == "symlink":
            os.symlink(args[0], path)
        elif kind == "fifo":
            os.mkfifo(path, 0o640)
        elif kind == "mode":
            os.chmod(path, int(args[1], 8))
        elif kind == "xattr":
            os.setxattr(path, args[1], args[2].encode())
        elif kind == "whiteout":
            os.mknod(path, stat.S_IFCHR, 0)
        else:
            sys.exit("no such thing in a layer: " + kind)

    def snapshot(self, root):
        found = {}

        def look(path, name):
            st = os.lstat(path)
            record = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_ino, st.st_rdev, st.st_mtime_ns,
                      st.st_ctime_ns, {x: os.getxattr(path, x, follow_symlinks=False) for x in os.listxattr(path, follow_symlinks=False)}]
            if stat.S_ISLNK(st.st_mode):
                record.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    record.append(hashlib.md5(f.read()).hexdigest())
            found[name] = record
            if stat.S_ISDIR(st.st_mode):
                for e in os.listdir(path):
                    look(os.path.join(path, e), e if name == "." else name + "/" + e)

        if os.path.isdir(root):
            look(root, ".")
        return found

    def may_change(self, path):
        parts = path.split("/")
        return path in self.changes or any("/".join(parts[:i]) + "/*" in self.changes for i in range(1, len(parts) + 1))

    def check_lower(self, root, before, free):
        after = self.snapshot(root)
        for path in sorted(set(before) | set(after)):
            if before.get(path) != after.get(path) and not (free and self.may_change(path)):
                self.wrong.append("%s: %s has changed: %s, was %s" % (self.block.title, path, after.get(path), before.get(path)))

    def run(self, verbose):
        lines = list(self.block.lines)
        while lines and self.set_up(lines[0][1]):
            lines.pop(0)
        self.box.set_policy(self.policies["policy"])
        before = [self.snapshot(self.box.lower), self.snapshot(self.box.below)]
        self.box.mount()
        try:
            os.chdir(self.box.mnt)
            for number, text in lines:
                self.row(number, text, verbose)
        finally:
            self.drop_kept()
            os.chdir(T)
            self.box.unmount()
        self.check_lower(self.box.lower, before[0], True)
        self.check_lower(self.box.below, before[1], False)
        if not self.wrong:
            shutil.rmtree(self.box.base)

    def row(self, number, text, verbose):
        tag, _, rest = text.partition(" ")
        if tag == "@engine" or (tag == "@root" and not AS_ROOT):
            return
        if tag in ("@mount", "@root"):
            text = rest
        what, _, want = text.partition(" -> ")
        op, *args = self.words(what)
        want = " ".join(self.words(want))
        try:
            got = getattr(self, "op_" + op.replace("-", "_"))(*args)
            got = "ok" if got is None else str(got)
        except OSError as e:
            got = errno.errorcode.get(e.errno, str(e.errno)).replace("EOPNOTSUPP", "ENOTSUP")
        self.n_rows += 1
        if verbose:
            print("%4d %s -> %s" % (number, what, got))
        if got != want:
            self.wrong.append("policy.table:%d: %s: %r, not %r" % (number, what, got, want))

    @staticmethod
    def op_settle():
        time.sleep(1.1)  # what the kernel remembers of attributes it asks again after a second

    # looking
    @staticmethod
    def op_stat(path):
        return type_name(os.lstat(path).st_mode)

    @staticmethod
    def op_statf(path):
        return type_name(os.stat(path).st_mode)

    @staticmethod
    def op_links(path):
        return os.lstat(path).st_nlink

    @staticmethod
    def op_mode(path):
        return "%o" % (os.stat(path).st_mode & 0o7777)

    @staticmethod
    def op_same(a, b):
        return "same" if os.path.samestat(os.lstat(a), os.lstat(b)) else "other"

    def op_ino(self, path, name):
        """The number of an object, to be compared with later."""
        ino = os.lstat(path).st_ino
        was, self.known[name] = self.known.get(name), ino
        return "new" if was is None else "same" if was == ino else "other"

    @staticmethod
    def op_access(path):
        if not os.access(path, os.F_OK):
            os.stat(path)

    @staticmethod
    def op_list(path):
        return names(os.listdir(path))

    @staticmethod
    def op_plus(path):
        def kind(e):
            try:
                return type_name(e.stat(follow_symlinks=False).st_mode)
            except FileNotFoundError:
                return "none"
        with os.scandir(path) as entries:
            return names(["%s:%s" % (e.name, kind(e)) for e in entries])

    @staticmethod
    def op_dots(path):
        with Open(path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            inos = read_dir(fd)
        right = inos[b"."] == os.stat(path).st_ino and inos[b".."] == os.stat(path + "/..").st_ino
        for name in set(inos) - {b".", b".."}:
            right = right and inos[name] == os.lstat(os.fsencode(path) + b"/" + name).st_ino
        return "right" if right else "wrong"

    # files
    @staticmethod
    def op_read(path):
        with Open(path, os.O_RDONLY) as fd:
            return os.read(fd, 8192).decode() or "-"

    @staticmethod
    def op_mmap(path):
        with Open(path, os.O_RDONLY) as fd:
            size = os.fstat(fd).st_size
            if not size:
                return "-"
            with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as m:
                return m[:].decode()

    @staticmethod
    def op_open(path, flags):
        with Open(path, flags_of(flags)):
            pass

    @staticmethod
    def put(path, flags, text):
        with Open(path, flags) as fd:
            os.write(fd, text.encode())

    def op_write(self, path, text):
        self.put(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, text)

    def op_append(self, path, text):
        self.put(path, os.O_WRONLY | os.O_APPEND, text)

    def op_patch(self, path, text):
        self.put(path, os.O_RDWR, text)

    @staticmethod
    def op_mapwrite(path, text):
        with Open(path, os.O_RDWR) as fd, mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED) as m:
            m[:len(text)] = text.encode()
            m.flush()

    @staticmethod
    def op_exec(path):
        subprocess.run([os.path.join(".", path)], check=True)

    def op_tmpfile(self, path, to=None):
        with Open(path, O_TMPFILE | os.O_RDWR, 0o600) as fd:
            os.write(fd, b"tmp")
            if to:
                call("linkat", AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, os.fsencode(to), AT_SYMLINK_FOLLOW)

    @staticmethod
    def op_copyrange(a, b):
        with Open(a, os.O_RDONLY) as src, Open(b, os.O_WRONLY | os.O_CREAT) as dst:
            call("copy_file_range", src, None, dst, None, 4096, 0)

    # names
    @staticmethod
    def op_mkdir(path):
        os.mkdir(path)

    @staticmethod
    def op_mknod(path):
        os.mknod(path, stat.S_IFREG | 0o666)

    @staticmethod
    def op_mkfifo(path):
        os.mkfifo(path)

    @staticmethod
    def op_symlink(target, path):
        os.symlink(target, path)

    @staticmethod
    def op_readlink(path):
        return os.readlink(path)

    @staticmethod
    def op_link(a, b):
        os.link(a, b, follow_symlinks=False)

    @staticmethod
    def op_unlink(path):
        os.unlink(path)

    @staticmethod
    def op_rmdir(path):
        os.rmdir(path)

    @staticmethod
    def op_rename(a, b, flags=0):
        call("renameat2", AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), flags)

    def op_noreplace(self, a, b):
        self.op_rename(a, b, RENAME_NOREPLACE)

    def op_exchange(self, a, b):
        self.op_rename(a, b, RENAME_EXCHANGE)

    # attributes
    @staticmethod
    def op_chmod(path, mode):
        os.chmod(path, int(mode, 8))

    @staticmethod
    def op_chown(path):
        os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)

    @staticmethod
    def op_utimens(path):
        os.utime(path, (5, 5), follow_symlinks=False)

    @staticmethod
    def op_truncate(path, size):
        os.truncate(path, int(size))

    @staticmethod
    def op_getxattr(path, name):
        return os.getxattr(path, name, follow_symlinks=False).decode()

    @staticmethod
    def op_listxattr(path):
        return names(x for x in os.listxattr(path, follow_symlinks=False) if x.startswith("user."))

    @staticmethod
    def op_setxattr(path, name, value):
        os.setxattr(path, name, value.encode(), follow_symlinks=False)

    @staticmethod
    def op_removexattr(path, name):
        os.removexattr(path, name, follow_symlinks=False)

    @staticmethod
    def op_statfs(path):
        os.statvfs(path)

    # what is kept open
    def op_keep(self, name, path, flags):
        self.kept[name] = os.open(path, flags_of(flags))

    def op_kopen(self, name, flags):
        with Open("/proc/self/fd/%d" % self.kept[name], flags_of(flags)):
            pass

    def op_kread(self, name):
        return os.pread(self.kept[name], 8192, 0).decode() or "-"

    def op_kwrite(self, name, text):
        os.pwrite(self.kept[name], text.encode(), 0)

    def op_kgrow(self, name):
        os.posix_fallocate(self.kept[name], 0, 10)

    def op_klist(self, name):
        os.lseek(self.kept[name], 0, os.SEEK_SET)
        return names([os.fsdecode(n) for n in read_dir(self.kept[name]) if n not in (b".", b"..")])

    def drop_kept(self):
        while self.kept:
            os.close(self.kept.popitem()[1])

    @staticmethod
    def op_cd(path):
        os.chdir(path)

    # the view, and the layers under it
    def op_remount(self):
        self.drop_kept()
        os.chdir(T)
        self.box.unmount()
        self.box.mount()
        os.chdir(self.box.mnt)

    def op_reload(self, which="1"):
        self.box.reload(self.policies[("policy", "policy2", "policy3")[int(which)]])

    def stat_in(self, layer, path):
        st = os.lstat(self.layer(layer, path))
        return "whiteout" if stat.S_ISCHR(st.st_mode) and st.st_rdev == 0 else type_name(st.st_mode)

    def op_lower_stat(self, path):
        return self.stat_in("lower", path)

    def op_upper_stat(self, path):
        return self.stat_in("upper", path)

    def op_lower_read(self, path):
        return self.op_read(self.layer("lower", path))

    def op_upper_read(self, path):
        return self.op_read(self.layer("upper", path))

    def op_lower_list(self, path):
        return names(os.listdir(self.layer("lower", path)))

    def op_upper_list(self, path):
        return names(os.listdir(self.layer("upper", path)))

    def op_lower_mode(self, path):
        return self.op_mode(self.layer("lower", path))

    def op_plant(self, path, text):
        write_file(self.layer("lower", path), text)

    def op_class(self, path):
        """The class of a path, found out by trying."""
        try:
            st = os.lstat(path)
        except FileNotFoundError:
            return "hide"
        is_dir = stat.S_ISDIR(st.st_mode)
        try:
            with Open(path, os.O_RDONLY) as fd:
                if is_dir:
                    os.listdir(fd)
        except OSError:
            return "deny"
        try:
            os.chmod(path, st.st_mode & 0o7777)
        except OSError as e:
            if e.errno not in (errno.EROFS, errno.EACCES):
                raise
            return "ro" if e.errno == errno.EROFS else "passage" if is_dir else "?"
        return "cow" if os.path.lexists(self.layer("upper", path)) else "rw"


def read_table():
    blocks = []
    with open(TABLE, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip()
            if line.startswith("== "):
                blocks.append(Block(line[3:]))
            elif line and not line.startswith("#") and blocks:
                blocks[-1].lines.append((number, line))
    return blocks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", action="store_true")
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    os.umask(0o022)
    os.environ["XDG_STATE_HOME"] = os.path.join(T, "state")
    n_rows, wrong = 0, []
    blocks = [b for b in read_table() if options.word in b.title]
    for number, block in enumerate(blocks):
        if options.v:
            print("==", block.title)
        run = Run(block, number)
        run.run(options.v)
        n_rows += run.n_rows
        for text in run.wrong:
            print(text, "(%s)" % block.title)
        wrong += run.wrong
    print("%d rows in %d blocks, %d wrong" % (n_rows, len(blocks), len(wrong)))
    return 1 if wrong or not n_rows else 0


sys.exit(main())

"""One tree of the differential test, and everything held open in it."""

import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import stat
import struct
import time

from tree import AT_FDCWD, USER, call, libc, xattrs

O_TMPFILE = getattr(os, "O_TMPFILE", 0o20200000)
AT_SYMLINK_FOLLOW, F_OFD_SETLK = 0x400, 37
libc.copy_file_range.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
libc.copy_file_range.restype = ctypes.c_ssize_t
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Failure(Exception):
    def __init__(self, op, field, text):
        super().__init__(text)
        self.key = (op, field)


class Side:
    """A tree and everything held open in it. The do_* methods are the operations; they return what is compared."""

    def __init__(self, name, root):
        self.name, self.root = name, os.fsencode(root)
        self.fds, self.dirs, self.maps = {}, {}, {}
        self.state = {}
        self.alive = True
        self.open()

    def open(self):
        self.rootfd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)

    def close(self):
        os.chdir("/")
        for m in self.maps.values():
            m.close()
        for fd in [*self.fds.values(), *self.dirs.values(), self.rootfd]:
            os.close(fd)
        self.fds, self.dirs, self.maps = {}, {}, {}

    def run(self, op, args, as_user):
        os.fchdir(self.rootfd)
        if as_user:
            os.setegid(USER)
            os.seteuid(USER)
        try:
            return ("ok", getattr(self, "do_" + op)(*args))
        except OSError as e:
            return ("error", errno.errorcode.get(e.errno, e.errno))
        finally:
            if as_user:
                os.seteuid(0)
                os.setegid(0)
            os.fchdir(self.rootfd)

    def fd(self, slot):
        if slot not in self.fds:
            raise OSError(errno.EBADF, "")
        return self.fds[slot]

    def hold(self, slot, fd):
        if slot in self.fds:
            os.close(self.fds.pop(slot))
        self.fds[slot] = fd

    def drop(self, op, slot):
        """Gives up what only some of the sides could open."""
        table = self.dirs if op == "opendir" else self.fds
        if slot in table:
            os.close(table.pop(slot))

    @staticmethod
    def brief(st):
        is_dir = stat.S_ISDIR(st.st_mode)
        return (oct(st.st_mode), st.st_uid, st.st_gid, st.st_rdev, is_dir or st.st_nlink, is_dir or st.st_size)

    # opening
    def do_open(self, slot, path, flags, mode):
        self.hold(slot, os.open(path, flags | os.O_NONBLOCK, mode))

    def do_create(self, slot, path, flags, mode):
        self.hold(slot, os.open(path, flags | os.O_CREAT | os.O_NONBLOCK, mode))
        now, (m, c) = time.time(), (os.fstat(self.fds[slot]).st_mtime, os.fstat(self.fds[slot]).st_ctime)
        return self.brief(os.fstat(self.fds[slot])), abs(now - c) < 60, flags & os.O_EXCL and abs(m - c) < 1

    def do_tmpfile(self, slot, path, flags, mode):
        self.hold(slot, os.open(path, O_TMPFILE | flags, mode))
        return self.brief(os.fstat(self.fds[slot]))

    def do_tmplink(self, slot, path):
        source = b"/proc/self/fd/%d" % self.fd(slot)
        call("linkat", AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW)
        return self.brief(os.fstat(self.fds[slot]))

    def do_close(self, slot):
        fd = self.fd(slot)
        del self.fds[slot]
        os.close(fd)

    # data
    def do_read(self, slot, n):
        return os.read(self.fd(slot), n)

    def do_write(self, slot, byte, n):
        return os.write(self.fd(slot), bytes([byte]) * n)

    def do_pread(self, slot, n, off):
        return os.pread(self.fd(slot), n, off)

    def do_pwrite(self, slot, byte, n, off):
        return os.pwrite(self.fd(slot), bytes([byte]) * n, off)

    def do_lseek(self, slot, off, whence):
        if whence == os.SEEK_END and stat.S_ISDIR(os.fstat(self.fd(slot)).st_mode):
            return None  # the end of a directory is ext4's business
        return os.lseek(self.fd(slot), off, whence)

    def do_truncate(self, path, size):
        os.truncate(path, size)

    def do_ftruncate(self, slot, size):
        os.ftruncate(self.fd(slot), size)

    def do_fallocate(self, slot, mode, off, n):
        call("fallocate", self.fd(slot), mode, off, n)

    def do_extents(self, slot):
        """What SEEK_DATA leaves out must read as zeros. Where the extents lie is the file system's business."""
        fd, at, holes = self.fd(slot), os.lseek(self.fd(slot), 0, os.SEEK_CUR), True
        try:
            size, pos = os.fstat(fd).st_size, 0
            while pos < size:
                try:
                    data = os.lseek(fd, pos, os.SEEK_DATA)
                except OSError as e:
                    if e.errno != errno.ENXIO:
                        raise
                    data = size
                holes = holes and not os.pread(fd, data - pos, pos).strip(b"\0")
                pos = os.lseek(fd, data, os.SEEK_HOLE) if data < size else size
            return holes, size
        finally:
            os.lseek(fd, at, os.SEEK_SET)

    def do_copy_range(self, src, dst, off_in, off_out, n):
        a, b = ctypes.c_int64(off_in), ctypes.c_int64(off_out)
        return call("copy_file_range", self.fd(src), ctypes.byref(a), self.fd(dst), ctypes.byref(b), n, 0)

    def do_fsync(self, slot, data_only):
        (os.fdatasync if data_only else os.fsync)(self.fd(slot))

    def do_map_write(self, slot, byte, n, off):
        fd = self.fd(slot)
        if os.fstat(fd).st_size < off + n:
            return "too short"
        with mmap.mmap(fd, off + n, mmap.MAP_SHARED) as m:
            m[off:off + n] = bytes([byte]) * n
            m.flush()

    def do_map(self, slot, held):
        fd = self.fd(slot)
        size = os.fstat(fd).st_size
        m = mmap.mmap(fd, min(size, 8192), mmap.MAP_SHARED, mmap.PROT_READ) if size else None
        if held in self.maps:
            self.maps.pop(held).close()
        if m:
            self.maps[held] = m
        return bool(m)

    def do_map_peek(self, held, path):
        """Reads a mapping made earlier; the file must not have shrunk below it."""
        m = self.maps.get(held)
        if not m or m.size() < len(m):
            return None
        # A mapping of kernel overlayfs can be of the file before its copy-up, and end before this one does: the kernel's copy then
        # fails with EFAULT, or short, where Python's would die of SIGBUS.
        fd = os.memfd_create("peek")
        try:
            return os.pread(fd, os.write(fd, m), 0)
        finally:
            os.close(fd)

    # names
    def do_mkdir(self, path, mode):
        os.mkdir(path, mode)

    def do_rmdir(self, path):
        os.rmdir(path)

    def do_unlink(self, path):
        os.unlink(path)

    def do_rename(self, old, new, flags):
        call("renameat2", AT_FDCWD, old, AT_FDCWD, new, flags)

    def do_link(self, old, new, flags):
        call("linkat", AT_FDCWD, old, AT_FDCWD, new, flags)

    def do_symlink(self, target, new):
        os.symlink(target, new)

    def do_readlink(self, path):
        return os.readlink(path)

    def do_mknod(self, path, mode, dev):
        os.mknod(path, mode, dev)

    # attributes
    def do_chmod(self, path, mode):
        os.chmod(path, mode)

    def do_fchmod(self, slot, mode):
        os.fchmod(self.fd(slot), mode)
        return oct(os.fstat(self.fd(slot)).st_mode)

    def do_chown(self, path, uid, gid, follow):
        if uid == gid == -1:
            return None  # the kernel does not tell a FUSE server of it
        os.chown(path, uid, gid, follow_symlinks=follow)

    def do_fchown(self, slot, uid, gid):
        if uid == gid == -1:
            return None
        os.fchown(self.fd(slot), uid, gid)
        return oct(os.fstat(self.fd(slot)).st_mode)

    def do_utimens(self, path, atime, mtime, follow):
        os.utime(path, ns=(atime, mtime), follow_symlinks=follow)
        st = os.stat(path, follow_symlinks=follow)
        return st.st_atime_ns, st.st_mtime_ns

    def do_touch(self, path):
        os.utime(path)

    def do_futimens(self, slot, atime, mtime):
        os.utime(self.fd(slot), ns=(atime, mtime))
        st = os.fstat(self.fd(slot))
        return st.st_atime_ns, st.st_mtime_ns

    def do_stat(self, path, follow):
        return self.brief(os.stat(path, follow_symlinks=follow))

    def do_fstat(self, slot):
        return self.brief(os.fstat(self.fd(slot)))

    def do_access(self, path, mode):
        return os.access(path, mode, effective_ids=True)

    def do_statvfs(self, path):
        v = os.statvfs(path)
        return v.f_namemax, v.f_bsize > 0, v.f_files >= v.f_ffree, v.f_blocks >= v.f_bfree >= v.f_bavail > 0

    def do_setxattr(self, path, name, value, flags, follow):
        os.setxattr(path, name, value, flags, follow_symlinks=follow)

    def do_getxattr(self, path, name, follow):
        return os.getxattr(path, name, follow_symlinks=follow)

    def do_listxattr(self, path, follow):
        return sorted(os.listxattr(path, follow_symlinks=follow))

    def do_removexattr(self, path, name, follow):
        os.removexattr(path, name, follow_symlinks=follow)

    def do_fsetxattr(self, slot, name, value):
        os.setxattr(self.fd(slot), name, value)

    def do_fgetxattr(self, slot, name):
        return os.getxattr(self.fd(slot), name)

    # locks
    def do_flock(self, slot, how):
        fcntl.flock(self.fd(slot), how | fcntl.LOCK_NB)

    def do_ofdlock(self, slot, kind, start, n):
        fcntl.fcntl(self.fd(slot), F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, n, 0))

    # directories. What the reads give is checked by Session, for A
    def do_opendir(self, slot, path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if slot in self.dirs:
            os.close(self.dirs[slot])
        self.dirs[slot] = fd

    def do_readdir(self, slot, times):
        """Returns raw names and whether the end was reached; not compared."""
        names, buf = [], ctypes.create_string_buffer(600)
        for _ in range(times):
            n = call("getdents64", self.dirs[slot], buf, 600)
            if not n:
                return names, True
            at = 0
            while at < n:
                reclen = struct.unpack_from("<H", buf, at + 16)[0]
                names.append(buf.raw[at + 19:at + reclen].split(b"\0")[0])
                at += reclen
        return names, False

    def do_fsyncdir(self, path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def do_list(self, path):
        return sorted(os.listdir(path))

    def do_cwd_removed(self, path):
        os.mkdir(path, 0o755)
        os.chdir(path)
        before = os.getcwdb()[len(self.root):]
        os.rmdir(b"../" + os.path.basename(path))
        result = [before]
        for f in (os.getcwdb, lambda: os.mkdir("x"), lambda: os.open("y", os.O_CREAT | os.O_RDWR), lambda: os.listdir("."),
                  lambda: os.stat(".").st_nlink < 3, lambda: os.rename(".", "z")):
            try:
                result.append(f())
            except OSError as e:
                result.append(errno.errorcode[e.errno])
        return result

    def do_umask(self, mask):
        os.umask(mask)

    # looking at the whole tree
    def scan(self, start_ns, fresh):
        """path -> record. Contents and xattrs are read again where the times moved, or of all and of fresh paths."""
        os.fchdir(self.rootfd)
        old, new, todo = self.state, {}, [b"."]
        new[b"."] = self.record(b".", os.lstat(b"."), old, start_ns, fresh)
        while todo:
            path = todo.pop()
            with os.scandir(path) as entries:
                for e in entries:
                    child = e.name if path == b"." else path + b"/" + e.name
                    if child in new:
                        raise Failure("tree", "twice", "%s lists %r twice" % (self.name, child))
                    try:
                        st = os.lstat(child)
                    except FileNotFoundError:
                        if self.name == "B":
                            continue  # lists the whiteouts of a directory that no other layer has
                        raise
                    new[child] = r = self.record(child, st, old, start_ns, fresh)
                    r["d_ino"] = e.inode() == st.st_ino
                    if stat.S_ISDIR(st.st_mode):
                        todo.append(child)
        self.state = new

    @staticmethod
    def record(path, st, old, start_ns, fresh):
        is_dir, was = stat.S_ISDIR(st.st_mode), old.get(path)
        same = was and was["st"].st_ino == st.st_ino
        r = {
            "st": st, "mode": oct(st.st_mode), "uid": st.st_uid, "gid": st.st_gid, "rdev": st.st_rdev,
            "size": is_dir or st.st_size, "nlink": is_dir or st.st_nlink,
            "d_ino": True,
            "mtime": st.st_mtime_ns if st.st_mtime_ns < start_ns else "recent",
            "mtime changed": same and was["st"].st_mtime_ns != st.st_mtime_ns,
            "ctime changed": same and was["st"].st_ctime_ns != st.st_ctime_ns,
        }
        if same and not r["mtime changed"] and not r["ctime changed"] and fresh is not None and path not in fresh:
            r["xattrs"], r["content"] = was["xattrs"], was["content"]
            return r
        r["xattrs"] = xattrs(path)
        r["content"] = None
        if stat.S_ISLNK(st.st_mode):
            r["content"] = os.readlink(path)
        elif stat.S_ISREG(st.st_mode):
            with open(path, "rb", buffering=0) as f:
                r["content"] = hashlib.md5(f.read()).hexdigest()
        return r

#!/usr/bin/env python3
"""Random operations on three equal trees, compared after every step.

A is the program under test, B the kernel's overlayfs, C a plain directory with a copy of the merged tree. A must
do what B does. Where B itself is known to differ from a plain file system, A may do what C does instead: but
only for the reasons in DEVIATIONS. Results, errnos, attributes, contents, extended attributes and whether a step
changed the times of an object are compared; inode numbers are checked for A alone, against the identity of the
objects in C. After a sequence A is mounted again, the kernel mounts A's upper and A mounts the kernel's.

Replay: differential.py --seed N --steps M -v     Shrink: differential.py --seed N --steps M --minimize
"""

import argparse
import concurrent.futures
import fcntl
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from sides import AT_SYMLINK_FOLLOW, Failure, Side
from tree import (CAPABILITY, CLONE_NEWNS, GROUPS, MNT_DETACH, MS_REC_PRIVATE, NAMES, MODES, OLD, USER, XATTRS, acl, birth, call,
                  checksum, copy_tree, fill_layer, mount_a, mount_b, short, unmount)

NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
CLOCK_REALTIME_COARSE = 5
N_FDS, N_DIRS, N_MAPS, MAX_OBJECTS = 6, 3, 3, 90

# (operation, field) where A may be like C though B is not. "*" matches all; the operation "tree" is the comparison
# of the whole tree after a step.
DEVIATIONS = {
    "descriptor sees later writes": ("a read-only descriptor or mapping of a lower file follows it over its copy-up", [
        ("read", "result"), ("pread", "result"), ("fstat", "result"), ("extents", "result"), ("map", "result"),
        ("map_peek", "result"), ("lseek", "result"), ("copy_range", "result"), ("fgetxattr", "result"),
        ("tree", "content"), ("tree", "size")]),
    "change through a descriptor": ("fchmod and the like on a descriptor opened before copy-up reach the file, not the old copy", [
        ("futimens", "result"), ("fchmod", "result"), ("fchown", "result"), ("fsetxattr", "result")]),
    "copy-up is invisible": ("opening for writing, or changing a neighbour, changes no times", [
        ("tree", "ctime changed"), ("tree", "mtime changed"), ("tree", "mtime")]),
    "links are counted as seen": ("the link count is that of the names in the view, also of removed and covered files", [
        ("tree", "nlink"), ("fstat", "result"), ("stat", "result"), ("tmplink", "result"), ("create", "result")]),
    "redirects of any length": ("a lower directory can be renamed, and a file without data linked, however long its path is", [
        ("rename", "result"), ("link", "result")]),
    "removing an ACL takes nothing else": ("the set-group-id bit stays when an ACL that is not there is removed", [("tree", "mode")]),
    "an absent ACL is removed": ("removing an ACL that is not there succeeds", [("removexattr", "result")]),
    "locks belong to the file": ("a lock taken before copy-up conflicts with one taken after it", [
        ("flock", "result"), ("ofdlock", "result")]),
}
FIELDS = ["mode", "uid", "gid", "rdev", "size", "nlink", "mtime", "mtime changed", "ctime changed", "xattrs", "content", "d_ino"]
STABLE = ["mode", "uid", "gid", "rdev", "size", "xattrs", "content"]
MAKES_FD = ("open", "create", "tmpfile", "opendir")


class Generator:
    """Draws operations with arguments, knowing what exists from the plain tree's last scan."""

    def __init__(self, rng):
        self.rng = rng
        self.paths = [b"."]
        self.by_type = {}

    def know(self, state):
        self.paths = sorted(state)
        self.by_type = {"dir": [], "file": [], "link": []}
        for p in self.paths:
            m = state[p]["st"].st_mode
            kind = "dir" if stat.S_ISDIR(m) else "file" if stat.S_ISREG(m) else "link" if stat.S_ISLNK(m) else None
            if kind:
                self.by_type[kind].append(p)

    def path(self, kind=None):
        r = self.rng.random()
        if r < 0.03:
            return self.rng.choice([b"missing/x", b"x" * 256, b"a/../b", b"h" * 4096, b"a/", self.any_dir() + b"/.", b""])
        if r < 0.10:
            return self.new()
        if r < 0.20:
            kind = None
        return self.rng.choice(self.by_type.get(kind) or self.paths)

    def any_dir(self):
        return self.rng.choice(self.by_type.get("dir") or [b"."])

    def new(self):
        if self.rng.random() < 0.03:
            return self.rng.choice(self.paths) + b"/x"
        parent = self.any_dir()
        name = self.rng.choice(NAMES)
        return name if parent == b"." else parent + b"/" + name

    def args(self, spec):
        return tuple(getattr(self, "arg_" + s)() for s in spec.split())

    arg_any = path
    arg_new = new
    arg_dir = lambda self: self.path("dir")
    arg_file = lambda self: self.path("file")
    arg_link = lambda self: self.path("link")
    arg_fd = lambda self: self.rng.randrange(N_FDS)
    arg_dirfd = lambda self: self.rng.randrange(N_DIRS)
    arg_map = lambda self: self.rng.randrange(N_MAPS)
    arg_mode = lambda self: self.rng.choice(MODES)
    arg_byte = lambda self: self.rng.randrange(256)
    arg_len = lambda self: self.rng.choice([0, 1, 10, 100, 4096, 5000, 20000])
    arg_some = lambda self: self.rng.choice([1, 10, 4096, 20000])
    arg_off = lambda self: self.rng.choice([0, 0, 1, 100, 4095, 4096, 10000, 65536])
    arg_bool = lambda self: self.rng.random() < 0.5
    arg_whence = lambda self: self.rng.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
    arg_rename = lambda self: self.rng.choice([0, 0, 0, NOREPLACE, EXCHANGE, EXCHANGE | NOREPLACE])
    arg_follow = lambda self: self.rng.choice([0, 0, AT_SYMLINK_FOLLOW])
    arg_target = lambda self: self.rng.choice(NAMES[:8] + [b"a/b", b"missing", b".", b"x" * 300])
    arg_uid = lambda self: self.rng.choice([-1, 0, USER, 1001])
    arg_gid = lambda self: self.rng.choice([-1, 0, USER, 1001])
    arg_time = lambda self: self.rng.choice([1, OLD]) * 10**9 + self.rng.randrange(10**9)
    arg_xname = lambda self: self.rng.choice(XATTRS[:4])
    arg_xflags = lambda self: self.rng.choice([0, 0, 0, os.XATTR_CREATE, os.XATTR_REPLACE])
    arg_xvalue = lambda self: bytes([self.rng.randrange(256)]) * self.rng.choice([0, 1, 20, 600])
    arg_access = lambda self: self.rng.choice([os.F_OK, os.R_OK, os.W_OK, os.X_OK, os.R_OK | os.W_OK])
    arg_lock = lambda self: self.rng.choice([fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN])
    arg_ofd = lambda self: self.rng.choice([fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK])
    arg_umask = lambda self: self.rng.choice([0, 0o022, 0o077, 0o027])
    arg_times = lambda self: self.rng.choice([1, 2, 5, 100])
    arg_falloc = lambda self: self.rng.choice([0, KEEP_SIZE, KEEP_SIZE | PUNCH_HOLE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE])
    arg_aclname = lambda self: self.rng.choice(["system.posix_acl_access", "system.posix_acl_default"])
    arg_acl = lambda self: acl(self.rng.randrange(8), self.rng.randrange(8), self.rng.randrange(8))
    arg_capname = lambda self: "security.capability"
    arg_cap = lambda self: CAPABILITY
    arg_zero = lambda self: 0

    def arg_flags(self):
        f = self.rng.choice([os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
        for bit, p in ((os.O_TRUNC, 0.1), (os.O_APPEND, 0.15), (os.O_EXCL, 0.05), (os.O_NOFOLLOW, 0.1), (os.O_DIRECTORY, 0.04),
                       (os.O_CREAT, 0.1), (os.O_NOATIME, 0.02)):
            f |= bit if self.rng.random() < p else 0
        return f

    def arg_creat(self):
        return self.rng.choice([os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_EXCL, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_NOFOLLOW,
                                os.O_RDWR | os.O_EXCL | os.O_APPEND, os.O_RDONLY | os.O_EXCL])

    def arg_tmpflags(self):
        return self.rng.choice([os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_EXCL])

    def arg_special(self):
        return self.rng.choice([stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFREG]) | self.rng.choice(MODES)

    # (method of Side, weight, arguments)
    OPS = [
        ("open", 14, "fd file flags mode"), ("create", 8, "fd new creat mode"), ("tmpfile", 3, "fd dir tmpflags mode"),
        ("tmplink", 2, "fd new"), ("close", 3, "fd"), ("read", 4, "fd some"), ("write", 7, "fd byte len"), ("pread", 5, "fd some off"),
        ("pwrite", 7, "fd byte len off"), ("lseek", 2, "fd off whence"), ("truncate", 4, "file off"), ("ftruncate", 4, "fd off"),
        ("fallocate", 5, "fd falloc off some"), ("extents", 4, "fd"), ("copy_range", 4, "fd fd off off some"), ("fsync", 2, "fd bool"),
        ("map_write", 4, "fd byte some zero"), ("map", 3, "fd map"), ("map_peek", 4, "map any"),
        ("mkdir", 10, "new mode"), ("rmdir", 6, "dir"), ("unlink", 8, "any"), ("rename", 9, "any new rename"), ("rename", 5, "dir new rename"),
        ("rename", 6, "any any rename"), ("rename", 2, "dir dir zero"), ("link", 8, "any new follow"), ("symlink", 4, "target new"),
        ("readlink", 2, "link"), ("mknod", 3, "new special zero"), ("chmod", 6, "any mode"), ("fchmod", 2, "fd mode"),
        ("chown", 5, "any uid gid bool"), ("fchown", 2, "fd uid gid"), ("utimens", 4, "any time time bool"), ("touch", 2, "any"),
        ("futimens", 2, "fd time time"), ("stat", 3, "any bool"), ("fstat", 4, "fd"), ("access", 2, "any access"), ("statvfs", 1, "dir"),
        ("setxattr", 5, "any xname xvalue xflags bool"), ("getxattr", 2, "any xname bool"), ("listxattr", 2, "any bool"),
        ("removexattr", 3, "any xname bool"), ("fsetxattr", 2, "fd xname xvalue"), ("fgetxattr", 2, "fd xname"),
        ("setxattr", 3, "any aclname acl xflags bool"), ("getxattr", 1, "any aclname bool"), ("removexattr", 1, "any aclname bool"),
        ("setxattr", 1, "file capname cap zero bool"), ("flock", 3, "fd lock"), ("ofdlock", 3, "fd ofd off some"),
        ("opendir", 4, "dirfd dir"), ("readdir", 7, "dirfd times"), ("fsyncdir", 1, "dir"), ("list", 2, "dir"), ("cwd_removed", 2, "new"),
        ("umask", 1, "umask"),
    ]

    def draw(self):
        ops = self.OPS if len(self.paths) < MAX_OBJECTS else [o for o in self.OPS if o[0] in ("unlink", "rmdir", "rename", "close")]
        name, _, spec = self.rng.choices(ops, [w for _, w, _ in ops])[0]
        return name, self.args(spec)


class Session:
    """One seed: builds the layers, runs the steps, compares."""

    def __init__(self, args, seed, script=None):
        self.args, self.seed, self.script = args, seed, script
        self.steps, self.explained = [], {}
        self.step = -1
        self.open_dirs = {}
        self.base = tempfile.mkdtemp(prefix="differential-", dir=args.dir)
        self.tick = time.clock_getres(CLOCK_REALTIME_COARSE)

    def at(self, name):
        p = os.path.join(self.base, name)
        os.makedirs(p, exist_ok=True)
        return p

    def run(self):
        os.umask(0o022)
        rng = random.Random(self.seed)
        self.lowers = [self.at("lower%d" % i) for i in range(rng.randint(1, 3))]
        below = None
        for path in reversed(self.lowers):
            fill_layer(rng, path, below)
            below = path
        if self.args.user:
            for path in [*self.lowers, self.at("A/upper"), self.at("B/upper")]:
                os.chmod(path, 0o777)
        self.sum = [checksum(p) for p in self.lowers]
        os.chmod(self.base, 0o755)
        for s in "AB":
            for d in ("work", "mnt"):
                self.at(s + "/" + d)
            os.utime(self.at(s + "/upper"), (OLD, OLD))
        mount_b(self.lowers, self.at("B/upper"), self.at("B/work"), self.at("B/mnt"))
        mount_a(self.lowers, self.at("A/upper"), self.at("A/work"), self.at("A/mnt"))
        copy_tree(self.at("B/mnt"), self.at("C"))
        self.sides = [Side("A", self.at("A/mnt")), Side("B", self.at("B/mnt")), Side("C", self.at("C"))]
        self.a, self.b, self.c = self.sides
        self.start_ns = time.time_ns() - 10**9
        self.identity = {}
        self.gen = Generator(rng)
        self.scan(None)
        self.compare_trees("start")
        steps = self.script if self.script is not None else range(self.args.steps)
        for self.step, s in enumerate(steps):
            self.gen.know(self.c.state)
            op, args = s if self.script is not None else self.gen.draw()
            self.one(op, args)
            if not (self.b.alive or self.c.alive):
                break
        self.after()

    def one(self, op, args):
        self.steps.append((op, args))
        self.wait_tick()
        results, odd = {}, []
        for s in self.sides:
            if op == "readdir" and args[0] not in s.dirs:
                return
            results[s.name] = s.run(op, args, self.args.user)
        if self.args.verbose:
            print("%3d %s%r -> %s" % (self.step, op, args, results["A"]), flush=True)
        if op == "readdir":
            self.check_readdir(args[0], results["A"])
        else:
            self.judge(op, "result", results["A"], results["B"], results["C"], op + short(args))
            odd = [s for s in (self.b, self.c) if results[s.name][0] != results["A"][0]]
            if odd and op in MAKES_FD:
                for s in self.sides:
                    s.drop(op, args[0])
        if op == "opendir" and results["A"][0] == "ok":
            self.watch_dir(args[0], args[1])
        paths = None if self.step % 20 == 19 else {p for p in args if isinstance(p, bytes)}
        self.scan(paths)
        for s in odd:
            # a refusal may have left its tree behind, which then is no measure any more
            s.alive = s.alive and self.stable(s) == self.stable(self.a)
        self.compare_trees(op, refused=results["A"][0] == "error")

    @staticmethod
    def stable(side):
        return {p: [r[f] for f in STABLE] for p, r in side.state.items()}

    def wait_tick(self):
        """Times are compared by whether they moved: the coarse clock must have moved since the last step."""
        now = time.clock_gettime(CLOCK_REALTIME_COARSE)
        while time.clock_gettime(CLOCK_REALTIME_COARSE) == now:
            time.sleep(self.tick / 8)

    def judge(self, op, field, a, b, c, what):
        if self.b.alive and a == b:
            return
        if op == "rename" and b == ("error", "EXDEV") and not self.c.alive:
            c = a  # nobody is left to ask, and what B refuses for its own reasons A need not
        if op == "extents" and a == ("error", "EISDIR") and b == ("error", "EINVAL") and not self.c.alive:
            c = a  # holes are looked for in a directory: the plain file system says the same, were it the same there
        # a plain tree that was left behind can still tell what one object answers, and whether it was changed at all
        if a == c and (self.c.alive or field in ("result", "mtime")):
            if not self.b.alive:
                return
            for name, (_, where) in DEVIATIONS.items():
                if (op, field) in where or (op, "*") in where:
                    self.explained[name] = self.explained.get(name, 0) + 1
                    return
        text = "%s: %s\n  osfuse   %s\n  overlay  %s%s\n  plain    %s%s" % (
            field, what, short(a), short(b), "" if self.b.alive else " (left behind earlier)",
            short(c), "" if self.c.alive else " (left behind earlier)")
        raise Failure(op, field, text)

    def scan(self, fresh):
        for s in self.sides:
            s.scan(self.start_ns, fresh)

    def compare_trees(self, op, refused=False):
        a, b, c = (s.state for s in self.sides)
        listing = [sorted(x) for x in (a, b, c)]
        if listing[0] != listing[1] or listing[0] != listing[2]:
            self.judge("tree", "names", *listing, "after " + op)
        for path, r in a.items():
            others = [x.get(path) for x in (b, c)]
            for f in FIELDS:
                values = [o and o[f] for o in others]
                if f == "d_ino" and r[f]:
                    continue  # right by itself, whatever the others do
                if f.endswith("changed") and not r[f] and (refused or not self.c.alive):
                    continue  # nothing tells whether B's copy-up moved it, or the operation
                if r[f] != values[0] or r[f] != values[1]:
                    self.judge("tree", f, r[f], *values, "%s after %s" % (short(path), op))
        self.check_inodes(op)
        self.update_dirs()

    def check_inodes(self, op):
        """An object of the plain tree has one inode number in A, its own, for life."""
        if not self.c.alive:
            return
        seen = {}
        for path, r in self.c.state.items():
            key, ino = self.key(path, r), self.a.state[path]["st"].st_ino
            if self.identity.get(key, ino) != ino:
                raise Failure("tree", "st_ino", "st_ino of %s changed from %d to %d after %s" % (short(path), self.identity[key], ino, op))
            if seen.setdefault(ino, key) != key:
                raise Failure("tree", "st_ino", "%s shares st_ino %d with another object after %s" % (short(path), ino, op))
            self.identity[key] = ino
        live = set(seen.values())
        self.identity = {k: v for k, v in self.identity.items() if k in live}

    def key(self, path, r):
        """Inode and birth: ext4 gives a number again at once."""
        old = r.get("key")
        if not old:
            old = r["key"] = (r["st"].st_ino, birth(os.path.join(self.c.root, path)))
        return old

    # Directories that are read while they change: names that stay must show once, names that never were must not.
    def watch_dir(self, slot, path):
        if slot not in self.c.dirs:
            return  # left behind: nothing says which names stay
        st = os.fstat(self.c.dirs[slot])
        self.open_dirs[slot] = {"ino": st.st_ino, "stay": None, "ever": set(), "got": [], "changed": set(), "done": False}
        self.update_dirs()

    def update_dirs(self):
        for w in self.open_dirs.values():
            names = set()
            for path, r in self.c.state.items():
                if r["st"].st_ino == w["ino"] and stat.S_ISDIR(r["st"].st_mode):
                    names = {p.rsplit(b"/", 1)[-1] for p in self.c.state
                             if p != b"." and (p.rsplit(b"/", 1)[0] if b"/" in p else b".") == path}
                    break
            before = w["stay"]
            w["stay"] = names if before is None else before & names
            w["changed"] |= (w["ever"] | w["stay"]) - names | (names - w["stay"])
            w["ever"] |= names

    def check_readdir(self, slot, result):
        w = self.open_dirs.get(slot)
        if result[0] != "ok":
            removed = w and not w["stay"]
            if not removed:
                raise Failure("readdir", "result", "readdir: %s" % (result,))
            return
        if not w or w["done"] or not self.c.alive:
            return
        names, end = result[1]
        w["got"] += [n for n in names if n not in (b".", b"..")]
        twice = {n for n in w["got"] if w["got"].count(n) > 1} - w["changed"]
        if twice:
            raise Failure("readdir", "twice", "names listed twice: %r" % twice)
        if set(w["got"]) - w["ever"]:
            raise Failure("readdir", "strange", "names that never were: %r" % (set(w["got"]) - w["ever"]))
        if end:
            w["done"] = True
            missed = w["stay"] - set(w["got"]) - w["changed"]
            if missed:
                raise Failure("readdir", "missed", "names missed: %r" % missed)

    def after(self):
        """Mounts again, and each side's upper under the other."""
        self.step += 1
        for s in self.sides:
            s.close()
        before = {s.name: s.state for s in self.sides}
        unmount(self.a.root)
        unmount(self.b.root)
        mount_a(self.lowers, self.at("A/upper"), self.at("A/work"), self.at("A/mnt"))
        self.a.open()
        self.a.scan(self.start_ns, None)
        self.same("remount", before["A"], self.a.state, FIELDS + ["ino"])
        self.close_and_unmount(self.a)
        for name, mount, other in (("kernel overlayfs on our upper", mount_b, "A"), ("osfuse on the kernel's upper", mount_a, "B")):
            mount(self.lowers, self.at(other + "/upper"), self.at(other + "/work"), self.at(other + "/mnt"))
            side = self.a if other == "A" else self.b
            side.open()
            side.state = {}
            side.scan(self.start_ns, None)
            self.same(name, before[other], side.state, [f for f in FIELDS if f != "nlink"])
            self.close_and_unmount(side)
        if [checksum(p) for p in self.lowers] != self.sum:
            raise Failure("lower", "checksum", "the lower changed")

    @staticmethod
    def close_and_unmount(side):
        os.chdir("/")
        os.close(side.rootfd)
        unmount(side.root)

    @staticmethod
    def same(what, old, new, fields):
        if sorted(old) != sorted(new):
            raise Failure(what, "names", "%s: names\n  before %s\n  after  %s" % (
                what, short(sorted(set(old) - set(new))), short(sorted(set(new) - set(old)))))
        for p, r in old.items():
            for f in fields:
                x, y = (r["st"].st_ino, new[p]["st"].st_ino) if f == "ino" else (r[f], new[p][f])
                if x != y and f != "d_ino" and not f.endswith("changed"):
                    raise Failure(what, f, "%s: %s of %s\n  before %s\n  after  %s" % (what, f, short(p), short(x), short(y)))

    def cleanup(self):
        os.chdir("/")
        for s in "AB":
            for _ in range(2):
                try:
                    unmount(self.at(s + "/mnt"), MNT_DETACH)
                except OSError:
                    break
        shutil.rmtree(self.base, ignore_errors=True)


def run_seed(args, seed, script=None):
    """None, or (failure, steps, step, explained)."""
    session, failure = Session(args, seed, script), None
    try:
        session.run()
    except Failure as f:
        failure = f
    finally:
        if not (failure and args.keep):
            session.cleanup()
    return failure, session


def minimize(args, seed):
    failure, session = run_seed(args, seed)
    if not failure:
        return print("seed %d: no failure" % seed)
    steps, args.verbose = list(session.steps), False
    size = max(1, len(steps) // 2)
    while size:
        at = 0
        while at < len(steps):
            shorter = steps[:at] + steps[at + size:]
            f, s = run_seed(args, seed, shorter)
            if f and f.key == failure.key:
                steps, failure = s.steps, f
            else:
                at += size
        size //= 2
    print("seed %d, %d steps remain:" % (seed, len(steps)))
    for op, a in steps:
        print("  %s%s" % (op, short(a)))
    print(failure)
    return failure


def one_seed(args):
    os.setgroups(GROUPS)
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
    if args.minimize:
        return 1 if minimize(args, args.seed) else 0
    failure, session = run_seed(args, args.seed)
    for name, n in session.explained.items():
        print("closer to a plain file system: %s (%d)" % (name, n))
    if failure:
        print("seed %d step %d%s: %s" % (args.seed, session.step, " --user" if args.user else "", failure))
        for op, a in session.steps[-3:]:
            print("  … %s%s" % (op, short(a)))
        print("replay: %s --seed %d --steps %d%s -v   (--minimize shrinks it)" % (
            sys.argv[0], args.seed, max(session.step + 1, 1), " --user" if args.user else ""))
    return 1 if failure else 0


def child(args, seed):
    cmd = [sys.executable, __file__, "--seed", str(seed), "--steps", str(args.steps), "--dir", args.dir]
    cmd += ["--user"] if args.user else []
    p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out = p.communicate(timeout=args.hang)[0].decode(errors="replace")
        return seed, p.returncode, out
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        return seed, -1, "seed %d hangs: replay with --seed %d -v\n" % (seed, seed)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--start", type=int, default=1)
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--seed", type=int, help="this one only, in this process")
    p.add_argument("--user", action="store_true", help="run the operations as an ordinary user")
    p.add_argument("--jobs", type=int, default=3)
    p.add_argument("--hang", type=int, default=300, help="seconds after which a seed counts as hanging")
    p.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    p.add_argument("--keep", action="store_true", help="leave the mounts and trees of a failure")
    p.add_argument("--minimize", action="store_true")
    p.add_argument("-v", "--verbose", action="store_true")
    args = p.parse_args()
    if os.geteuid():
        print("SKIP: the kernel's overlayfs needs root")
        return 77
    if args.seed is not None:
        return one_seed(args)
    failed, explained = 0, {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for seed, code, out in pool.map(lambda s: child(args, s), range(args.start, args.start + args.seeds)):
            for line in out.splitlines():
                if line.startswith("closer to a plain file system: "):
                    name = line[31:].rsplit(" (", 1)[0]
                    explained[name] = explained.get(name, 0) + 1
            if code:
                failed += 1
                print(out if out.strip() else "seed %d: died with %d" % (seed, code), flush=True)
    for name, n in sorted(explained.items()):
        print("closer to a plain file system in %d seeds: %s: %s" % (n, name, DEVIATIONS[name][0]))
    print("%d seeds of %d steps, %d failed" % (args.seeds, args.steps, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

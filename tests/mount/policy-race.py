#!/usr/bin/env python3
"""Renames of parents by two processes while others open below them: what is hidden or denied is never read.

policy-race.py [--seconds N]
"""

import argparse
import ctypes
import errno
import mmap
import os
import random
import signal
import sys
import time

from sandbox import AS_ROOT, Sandbox, write_file
from tree import AT_FDCWD, call

POLICY = """
hide  /a/key /b/d/key
deny  /a/x/closed
ro    /a/ro
hide  /gate
cow   /gate/way/open
hide  secret
"""
SECRET, NAMES = "SECRET", ["a", "b", "c", "a/x", "b/x", "a/d", "b/d", "gate/way", "gate/way/open", "gate/way/open/x"]
LEAVES = ["secret", "key", "closed", "way/secret", "x/secret", "x/closed", "d/key", "ro"]
EXCHANGE = 2


def plant(box):
    for path in ("secret", "a/secret", "a/key", "a/x/closed", "a/x/secret", "b/d/key", "b/x/secret", "gate/secret", "gate/way/secret",
                 "gate/way/open/secret", "c/secret"):
        write_file(os.path.join(box.lower, path), SECRET)
    for path in ("a/f", "a/x/f", "a/d/f", "a/ro", "b/f", "b/x/f", "b/d/f", "c/f", "gate/way/open/x/f", "gate/way/open/f"):
        write_file(os.path.join(box.lower, path), "open")


def mover(mnt, counts, rng):
    """counts: done, refused"""
    os.chdir(mnt)
    names = NAMES + ["t1", "a/t2", "gate/way/open/t3", "key", "closed", "a/key", "b/d/key", "c/x", "c/f", "b/f", "a/f"]
    while True:
        old, new = rng.choice(names), rng.choice(names)
        flags = rng.choice([0, 0, EXCHANGE])
        try:
            call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)
            counts[0] += 1
        except OSError as e:
            counts[1] += e.errno in (errno.EXDEV, errno.EACCES, errno.EROFS)


def leak(counts, text):
    counts[0] += 1
    if counts[0] <= 5:
        print(text, flush=True)


def opener(mnt, counts, rng):
    """counts: leaks, opened, refused"""
    os.chdir(mnt)
    kept = []
    while True:
        base = rng.choice(NAMES)
        try:
            if rng.random() < 0.1:
                kept.append(os.open(base, os.O_PATH | os.O_DIRECTORY))
                if len(kept) > 20:
                    os.close(kept.pop(0))
            where = rng.choice(kept) if kept and rng.random() < 0.5 else None
            path = rng.choice(LEAVES + ["f", "../secret", "../f", "../key", "../a/key", "../../gate/way/secret", "x/../secret"])
            fd = os.open(path if where is not None else base + "/" + path, os.O_RDONLY, dir_fd=where)
            counts[1] += 1
            try:
                if SECRET.encode() in os.read(fd, 100):
                    leak(counts, "leak: %s/%s is %s" % (base, path, os.readlink("/proc/self/fd/%d" % fd)))
            finally:
                os.close(fd)
            fd = os.open("." if where is not None else base, os.O_RDONLY | os.O_DIRECTORY, dir_fd=where)
            try:
                if "secret" in os.listdir(fd):
                    leak(counts, "leak: listed in " + os.readlink("/proc/self/fd/%d" % fd))
            finally:
                os.close(fd)
        except OSError as e:
            counts[2] += 1
            if e.errno not in (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.EISDIR, errno.EINVAL):
                leak(counts, "%s/%s: %s" % (base, path, errno.errorcode[e.errno]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    box = Sandbox("race", POLICY)
    plant(box)
    box.mount()
    shared = memory(64)
    pids = []
    for i, function in enumerate([mover, mover, opener, opener, opener]):
        pid = os.fork()
        if pid == 0:
            try:
                function(box.mnt, Counts(shared, i * 3), random.Random(i))
            finally:
                os._exit(1)
        pids.append(pid)
    time.sleep(seconds)
    ended = [p for p in pids if os.waitpid(p, os.WNOHANG)[0]]
    for pid in set(pids) - set(ended):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    moved, refused = shared[0] + shared[3], shared[1] + shared[4]
    leaks, opened = (sum(shared[i * 3 + j] for i in (2, 3, 4)) for j in (0, 1))
    # In the end everything hidden is where it was.
    os.chdir(box.lower)
    for path in ("a/key", "a/x/closed", "b/d/key", "gate/way/secret"):
        with open(path, encoding="utf-8") as f:
            leaks += f.read() != SECRET
    os.chdir("/")
    box.unmount()
    print("%d renames and %d refused, %d opens, in %g s as %s: %d leaks" %
          (moved, refused, opened, seconds, "root" if AS_ROOT else "user", leaks))
    return 1 if leaks or ended or not moved or not refused or not opened else 0


def memory(n):
    """Numbers that processes share."""
    return (ctypes.c_uint64 * n).from_buffer(mmap.mmap(-1, n * 8))


class Counts:
    def __init__(self, shared, at):
        self.shared, self.at = shared, at

    def __getitem__(self, i):
        return self.shared[self.at + i]

    def __setitem__(self, i, value):
        self.shared[self.at + i] = value


sys.exit(main())

#!/usr/bin/env python3
"""Empty directories that come under other rules by a rename, while others make things in them: none comes to where it could not be made.

policy-enter.py [--seconds N]
"""

import argparse
import errno
import os
import random
import signal
import sys
import time

from sandbox import AS_ROOT, Sandbox, write_file
from tree import AT_FDCWD, call

POLICY = """
hide /in/secret
ro   /in/fixed
rw   /rw
ro   /rw/in/fixed
"""
EXPECTED = {errno.ENOENT, errno.EEXIST, errno.EXDEV, errno.EACCES, errno.EROFS, errno.ENOTEMPTY, errno.ESTALE, errno.EISDIR, errno.ENOTDIR}
EXCHANGE = 2


def mover(rng, base):
    names = [base + "in", base + "new", base + "other"]
    old, new = rng.sample(names, 2)
    if rng.random() < 0.3:
        os.mkdir(rng.choice(names[1:]))
    call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), rng.choice([0, 0, EXCHANGE]))


def maker(rng, base):
    name = rng.choice(["in", "new", "other"])
    path = base + name + "/" + rng.choice(["secret", "fixed"] if not base else ["fixed"])
    how = rng.randrange(5)
    try:
        if how == 0:
            os.mkdir(path)
        elif how == 1:
            os.link(base + "f", path)
        elif how == 2:
            moved = base + "moved%d" % os.getpid()
            os.close(os.open(moved, os.O_WRONLY | os.O_CREAT))
            os.rename(moved, path)
        elif how == 3:
            os.symlink("x", path)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    finally:
        for name in ("in", "new", "other"):
            for leaf in ("secret", "fixed"):
                path = base + name + "/" + leaf
                try:
                    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
                except OSError:
                    pass


def work(box, function, seed):
    rng = random.Random(seed)
    os.chdir(box.mnt)
    while True:
        try:
            function(rng, rng.choice(["", "rw/"]))
        except OSError as e:
            if e.errno not in EXPECTED:
                print("%s: %s" % (function.__name__, e), flush=True)
                os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    end = time.monotonic() + parser.parse_args().seconds
    box = Sandbox("enter", POLICY)
    write_file(os.path.join(box.lower, "f"), "text")
    write_file(os.path.join(box.lower, "rw/f"), "text")
    box.mount()
    never = [os.path.join(box.upper, "in/secret"), os.path.join(box.upper, "in/fixed"), os.path.join(box.lower, "rw/in/fixed")]
    places = [os.path.dirname(never[0]), os.path.dirname(never[2])]
    pids, leaks, entered = [], 0, 0
    for i in range(5):
        pid = os.fork()
        if pid == 0:
            work(box, maker if i % 2 else mover, i)
        pids.append(pid)
    while time.monotonic() < end:
        leaks += sum(os.path.lexists(path) for path in never)
        entered += sum(os.path.isdir(place) for place in places)
    ended = [p for p in pids if os.waitpid(p, os.WNOHANG)[0]]
    for pid in set(pids) - set(ended):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    box.unmount()
    print("directories seen in place %d times as %s: %d leaks" % (entered, "root" if AS_ROOT else "user", leaks))
    return 1 if leaks or ended or not entered else 0


sys.exit(main())

#!/usr/bin/env python3
"""Directories that are changed in the lower and in the upper by turns, while names come, move and go in them: no error is a stray one.

policy-churn.py [--seconds N]

What is there may be gone the next moment, and what moves between the two cannot; nothing else may be told, and the daemon lives.
"""

import argparse
import errno
import mmap
import os
import random
import sys
import time

from sandbox import Sandbox, write_file

T = os.environ["T"]
DIRS = "abcd"
POLICIES = ["cow /\n", "rw /c\n", "rw /c /d\n"]
EXPECTED = {errno.ENOENT, errno.EEXIST, errno.EXDEV, errno.ENOTEMPTY}


def write_and_map(path):
    fd = os.open(path, os.O_RDWR)
    try:
        if os.fstat(fd).st_size > 4096 and os.fork() == 0:
            try:
                with mmap.mmap(fd, 4096) as m:
                    m[0:4] = b"abcd"
            finally:
                os._exit(0)  # what it wrote may be out of sight by now
    finally:
        os.close(fd)


def create(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(fd, b"q" * random.randrange(20000))
    except OSError as e:
        if e.errno != errno.ESTALE:  # opened before, and elsewhere
            raise
    finally:
        os.close(fd)


def move_dir(path, to):
    os.mkdir(path)
    os.rename(path, to)
    os.rmdir(to)


def one_deed(mnt):
    a, b, i = random.choice(DIRS), random.choice(DIRS), random.randrange(30)
    name, other = "%s/%s/n%d" % (mnt, a, i), "%s/%s/n%d" % (mnt, b, i)
    deed = random.randrange(7)
    if deed == 0:
        create(name)
    elif deed == 1:
        os.rename(name, other)
    elif deed == 2:
        os.unlink(name)
    elif deed == 3:
        os.listdir("%s/%s" % (mnt, a))
    elif deed == 4:
        write_and_map(name)
    elif deed == 5:
        move_dir("%s/%s/s%d" % (mnt, a, i), "%s/%s/s%d" % (mnt, b, i))
    else:
        os.stat("%s/%s/f%d" % (mnt, a, i % 20))


def reap(options):
    try:
        while os.waitpid(-1, options)[0]:
            pass
    except ChildProcessError:
        pass


def work(mnt, seed, end):
    random.seed(seed)
    status = 0
    while time.monotonic() < end:
        try:
            one_deed(mnt)
        except OSError as e:
            if e.errno not in EXPECTED:
                print(errno.errorcode.get(e.errno), e, flush=True)
                status = 1
        reap(os.WNOHANG)
    reap(0)
    return status


def start(mnt, seed, end):
    pid = os.fork()
    if pid == 0:
        os._exit(work(mnt, seed, end))
    return pid


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    os.environ["XDG_STATE_HOME"] = os.path.join(T, "state")
    box = Sandbox("churn", POLICIES[0])
    for d in DIRS:
        for i in range(20):
            write_file("%s/%s/f%d" % (box.lower, d, i), "x" * 5000)
    box.mount("--threads", "4")
    end = time.monotonic() + options.seconds
    workers = [start(box.mnt, seed, end) for seed in range(3)]
    while time.monotonic() < end:
        write_file(box.policy_file, random.choice(POLICIES))  # in place: what it was is not another file's number now
        box.reload()
        time.sleep(random.random() / 20)  # the kernel looks again once, and not for ever
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in workers)
    box.unmount()
    return 1 if failed else 0


sys.exit(main())

#!/usr/bin/env python3
"""A policy replaced under load: after each reload has returned, every answer is by the new rules; allowed readers never see an error.

policy-reload.py [--rounds N]

Four processes read what is always allowed. Two more keep asking for what the rules flip, so that the kernel has something to
remember of it, at any moment of a reload.
"""

import argparse
import os
import random
import signal
import sys
import time

from sandbox import Sandbox, result, write_file

ALWAYS = {"open/a": "alpha", "open/d/b": "beta", "open/d/e/c": "gamma"}
# policy, and then: what reading gives of flip/f, of flip/d/g, and of made; what is listed in flip; whether flip/f can be written to.
STATES = [
    ("", "F", "G", "ENOENT", ["d", "f"], "ok"),
    ("hide /flip/f\nhide /flip/d\n", "ENOENT", "ENOENT", "ENOENT", [], "ENOENT"),
    ("deny /flip/f\ndeny /flip/d\n", "EACCES", "EACCES", "ENOENT", ["d", "f"], "EACCES"),
    ("ro /flip\n", "F", "G", "ENOENT", ["d", "f"], "EROFS"),
    ("hide /flip/f\nfile /made \"one\"\n", "ENOENT", "G", "one", ["d"], "ENOENT"),
    ("hide /flip\ncow /flip/d/g\nfile /made \"two\"\n", "ENOENT", "G", "two", ["d"], "ENOENT"),
    ("hide /flip\n", "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT"),
    ("hide *\ncow /open\ncow /flip/f\n", "F", "ENOENT", "ENOENT", ["f"], "ok"),
]


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 100).decode()
    finally:
        os.close(fd)


def listing(path):
    return sorted(os.listdir(path))


def listing_with_stat(path):
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if e.stat(follow_symlinks=False))


def try_write(path):
    os.close(os.open(path, os.O_WRONLY))
    return "ok"


def allowed_reader(mnt):
    """Ends with an exception, and so with a status, at the first error."""
    os.chdir(os.path.join(mnt, "open/d"))
    cwd = os.getcwd()
    kept = os.open("b", os.O_RDONLY)
    while True:
        for path, text in ALWAYS.items():
            if read(os.path.join(mnt, path)) != text:
                raise RuntimeError(path)
            os.stat(os.path.join(mnt, path))
        if listing(mnt + "/open") != ["a", "d"] or listing_with_stat(".") != ["b", "e"] or os.pread(kept, 10, 0) != b"beta":
            raise RuntimeError("listing")
        if os.getcwd() != cwd or read("../a") != "alpha":
            raise RuntimeError("cwd")


def flipped_reader(mnt):
    """Whatever it is told may be right or wrong by now."""
    rng = random.Random(os.getpid())
    actions = [(read, "flip/f"), (read, "flip/d/g"), (read, "made"), (os.stat, "flip"), (os.stat, "flip/f"), (listing, "flip"),
               (listing_with_stat, "flip"), (listing_with_stat, ""), (listing, "flip/d"), (os.stat, "flip/d/none")]
    while True:
        function, path = rng.choice(actions)
        result(function, os.path.join(mnt, path))


def start(function, mnt):
    pid = os.fork()
    if pid == 0:
        try:
            function(mnt)
        except BaseException as e:  # whatever it is, it is a failure
            print("reader: %r" % e, flush=True)
        os._exit(1)
    return pid


def check(mnt, state, wrong):
    policy, f, g, made, names, write = state
    for what, got, want in (
        ("open flip/f", result(read, mnt + "/flip/f"), f),
        ("open flip/d/g", result(read, mnt + "/flip/d/g"), g),
        ("open made", result(read, mnt + "/made"), made),
        ("stat flip/f", result(lambda p: "there" if os.stat(p) else "", mnt + "/flip/f"), "there" if f != "ENOENT" else f),
        ("stat made", result(lambda p: os.stat(p).st_size, mnt + "/made"), len(made) if made != "ENOENT" else made),
        ("list flip", result(listing, mnt + "/flip"), names),
        ("list flip, with stat", result(listing_with_stat, mnt + "/flip"), names),
        ("list root", "made" in listing(mnt), made != "ENOENT"),
        ("write flip/f", result(try_write, mnt + "/flip/f"), write),
    ):
        if got != want:
            wrong.append("%s: %r, not %r, under:\n%s" % (what, got, want, policy))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    box = Sandbox("reload")
    for path, text in {**ALWAYS, "flip/f": "F", "flip/d/g": "G"}.items():
        write_file(os.path.join(box.lower, path), text)
    box.mount()
    pids = [start(allowed_reader, box.mnt) for _ in range(4)] + [start(flipped_reader, box.mnt) for _ in range(2)]
    rng, wrong, longest, spent, now = random.Random(1), [], 0, 0, STATES[0]
    try:
        for _ in range(rounds):
            now = rng.choice([s for s in STATES if s is not now])
            began = time.monotonic()
            box.reload(now[0])
            longest, spent = max(longest, time.monotonic() - began), spent + time.monotonic() - began
            check(box.mnt, now, wrong)
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                pids.remove(pid)
                wrong.append("a reader has ended: status %d, under:\n%s" % (status, now[0]))
            if len(wrong) > 20:
                break
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        box.unmount()
    print("%d reloads, %.1f ms each, %.1f ms at most; %d wrong" % (rounds, 1000 * spent / rounds, 1000 * longest, len(wrong)))
    for text in wrong:
        print(text)
    return 1 if wrong else 0


sys.exit(main())

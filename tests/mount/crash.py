#!/usr/bin/env python3
"""Kills the daemon at random moments of writing, mounts again and looks: what was acknowledged by fsync is there, and
everything else is there as a whole or not at all.

A writer works through a list of steps on the mount and says so after each fsync. For every object there are two
allowed states, before and after; after an acknowledgement only the second.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tree import checksum, daemon_pids, mount_a

N_FILES, SIZE = 12, 1 << 20
HEADER = b"CHANGED!"


def synced(path, flags, data=b"", mode=0o644):
    fd = os.open(path, flags, mode)
    while data:
        data = data[os.write(fd, data):]
    os.fsync(fd)
    os.close(fd)


def sync_dir(path="."):
    synced(path, os.O_RDONLY | os.O_DIRECTORY)


def pattern(i, size=SIZE):
    return bytes([65 + i]) * size


# One function a kind of step: what it does to file number i. Each ends with its own fsync.
def step_copyup(i):
    synced("big%d" % i, os.O_WRONLY, HEADER)


def step_replace(i):
    synced("new%d.part" % i, os.O_WRONLY | os.O_CREAT, pattern(i))
    os.rename("new%d.part" % i, "new%d" % i)
    sync_dir()


def step_log(i):
    synced("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, b"record %4d\n" % i)


def step_remove(i):
    os.unlink("old%d" % i)
    sync_dir()


def step_rename(i):
    os.rename("dir%d" % i, "moved%d" % i)
    sync_dir()


def step_chmod(i):
    fd = os.open("mode%d" % i, os.O_RDONLY)
    os.fchmod(fd, 0o600)
    os.fsync(fd)
    os.close(fd)


STEPS = [step_copyup, step_replace, step_log, step_remove, step_rename, step_chmod]


def writer(mnt, seed):
    os.chdir(mnt)
    todo = [(s, i) for s in STEPS for i in range(N_FILES)]
    random.Random(seed).shuffle(todo)
    print("go", flush=True)
    for s, i in todo:
        s(i)
        print(s.__name__, i, flush=True)


def make_lower(lower):
    for i in range(N_FILES):
        for name in ("big%d", "old%d", "mode%d"):
            synced(os.path.join(lower, name % i), os.O_WRONLY | os.O_CREAT, pattern(i))
        os.mkdir(os.path.join(lower, "dir%d" % i))
        synced(os.path.join(lower, "dir%d" % i, "inner"), os.O_WRONLY | os.O_CREAT, b"inner")


def content(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def check(mnt, done):
    """Yields what is wrong."""
    at = lambda name: os.path.join(mnt, name)
    expected = {"log"}
    log = content(at("log")) or b""
    for i in range(N_FILES):
        now = lambda kind: (kind, i) in done
        big = content(at("big%d" % i))
        if big != HEADER + pattern(i, SIZE - len(HEADER)) and (now("step_copyup") or big != pattern(i)):
            yield "big%d: %s bytes, begins %r" % (i, big and len(big), big and big[:9])
        new = content(at("new%d" % i))
        if new != pattern(i) and (now("step_replace") or new is not None):
            yield "new%d: %s bytes" % (i, new and len(new))
        if now("step_log") and b"record %4d\n" % i not in log:
            yield "log: record %d is lost" % i
        if now("step_remove") and content(at("old%d" % i)) is not None:
            yield "old%d is back" % i
        if content(at("old%d" % i)) not in (None, pattern(i)):
            yield "old%d is damaged" % i
        where = [d for d in ("dir%d" % i, "moved%d" % i) if os.path.isdir(at(d))]
        if len(where) != 1 or now("step_rename") and where[0].startswith("dir"):
            yield "dir%d is at %r" % (i, where)
        elif content(at(where[0] + "/inner")) != b"inner" or len(os.listdir(at(where[0]))) != 1:
            yield "%s: holds %r" % (where[0], os.listdir(at(where[0])))
        mode = os.stat(at("mode%d" % i)).st_mode & 0o777
        if mode != 0o600 and (now("step_chmod") or mode != 0o644) or content(at("mode%d" % i)) != pattern(i):
            yield "mode%d: %o" % (i, mode)
        expected |= {n % i for n in ("big%d", "new%d", "new%d.part", "old%d", "dir%d", "moved%d", "mode%d")}
    strange = set(os.listdir(mnt)) - expected
    if strange:
        yield "strange names: %r" % sorted(strange)
    if len(log) % 12 and any(k == "step_log" for k, _ in done):
        # the last record may be cut short only when it was not acknowledged: its file was, with all before it
        whole = sum(1 for k, _ in done if k == "step_log") * 12
        if len(log) < whole:
            yield "log: %d bytes, %d were synced" % (len(log), whole)


def one_round(base, lower, seed, longest):
    upper, work, mnt = (os.path.join(base, d) for d in ("upper", "work", "mnt"))
    for d in (upper, work, mnt):
        shutil.rmtree(d, ignore_errors=True)
        os.mkdir(d)
    mount_a([lower], upper, work, mnt)
    started = time.monotonic()
    p = subprocess.Popen([sys.executable, __file__, "--writer", mnt, "--seed", str(seed)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, universal_newlines=True)
    p.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, longest))
    early = p.poll()
    for pid in daemon_pids():
        os.kill(pid, signal.SIGKILL)
    said = p.stderr.read()
    done = {(kind, int(i)) for kind, i in (line.split() for line in p.stdout.read().splitlines())}
    p.wait()
    took = time.monotonic() - started
    subprocess.run(["umount", mnt], stderr=subprocess.DEVNULL)
    mount_a([lower], upper, work, mnt)
    faults = list(check(mnt, done)) + (["the writer failed by itself: " + said] if early else [])
    subprocess.run(["umount", mnt], check=True)
    return len(done), took, faults


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--writer", metavar="MOUNT", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.writer:
        return writer(args.writer, args.seed)
    base = tempfile.mkdtemp(prefix="crash-", dir=os.environ.get("T"))
    lower = os.path.join(base, "lower")
    os.mkdir(lower)
    make_lower(lower)
    before = checksum(lower)
    total, cut, failed, longest = 0, 0, 0, 0.3
    for seed in range(args.seed, args.seed + args.rounds):
        n, took, faults = one_round(base, lower, seed, longest)
        total += n
        cut += n < len(STEPS) * N_FILES
        # aim at the time that the work takes on this machine, so that the kills fall into it
        longest = longest * 0.8 if n == len(STEPS) * N_FILES else min(longest * 1.1, 2)
        for fault in faults:
            print("seed %d, killed after %d steps (%.0f ms): %s" % (seed, n, took * 1000, fault))
        failed += bool(faults)
    if checksum(lower) != before:
        print("the lower changed")
        failed += 1
    print("%d rounds, %d cut short, %d steps were synced before the kill, %d rounds failed" % (args.rounds, cut, total, failed))
    if not cut or not total:
        print("no kill came in the midst of the work: nothing was tested")
        return 1
    shutil.rmtree(base, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

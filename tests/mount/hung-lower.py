#!/usr/bin/env python3
"""File systems below the lower that do not answer, more of them than there are workers: the rest of the view goes on."""

import ctypes
import os
import subprocess
import sys

from sandbox import OSFUSE, T

MS_NOSUID, MNT_DETACH = 2, 2
N_HUNG = 2 * (os.cpu_count() or 1) + 1
PATIENCE = 60  # seconds: it is a hang that is looked for, not a delay

libc = ctypes.CDLL(None, use_errno=True)
LOWER, UPPER, WORK, MNT = (os.path.join(T, name) for name in ("lower", "upper", "work", "mnt"))


def mount_hung(path):
    """A FUSE mount that nobody serves. The descriptor ends it."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
    if libc.mount(b"hung", os.fsencode(path), b"fuse", MS_NOSUID, options) != 0:
        raise OSError(ctypes.get_errno(), path)
    return fd


def use(*cmd):
    return subprocess.run(cmd, timeout=PATIENCE, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main():
    wrong = []
    for path in (LOWER, UPPER, WORK, MNT):
        os.makedirs(path, exist_ok=True)
    with open(LOWER + "/good", "w", encoding="utf-8") as f:
        f.write("good")
    hung = [LOWER + "/hung%d" % i for i in range(N_HUNG)]
    for path in hung:
        os.mkdir(path)
    fds = [mount_hung(path) for path in hung]
    subprocess.run([OSFUSE, "mount", "--lower", LOWER, "--upper", UPPER, "--work", WORK, MNT], check=True, timeout=PATIENCE)
    held_up = []
    for i in range(N_HUNG):
        held_up.append(subprocess.Popen(["stat", MNT + "/hung%d/x" % i], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        try:
            if use("cat", MNT + "/good").stdout != "good" or use("stat", MNT + "/none%d" % i).returncode == 0:
                wrong.append("%d are held up: another answer" % (i + 1))
        except subprocess.TimeoutExpired:
            wrong.append("%d are held up: and so is the view" % (i + 1))
            break
    for fd in fds:
        os.close(fd)  # whoever waits there is let go
    for p in held_up:
        if p.wait(PATIENCE) == 0:
            wrong.append("something was there")
    if use("cat", MNT + "/good").stdout != "good":
        wrong.append("not the same afterwards")
    subprocess.run([OSFUSE, "umount", MNT], check=True, timeout=PATIENCE)
    for path in hung:
        libc.umount2(os.fsencode(path), MNT_DETACH)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

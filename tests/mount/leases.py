#!/usr/bin/env python3
"""Leases of a program of the host on files of the lower (F_SETLEASE of fcntl(2)): who opens them in the view waits until they are given up."""

import fcntl
import os
import signal
import sys
import time

from sandbox import Sandbox, result, write_file

T = os.environ["T"]


def hold(path, gives_up):
    """A process that holds a lease, and gives it up a moment after it is asked to; or never does."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        os.read(ready, 1)
        os.close(ready)
        return pid
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    os.write(told, b"1")
    signal.sigwait({signal.SIGIO})
    if not gives_up:
        signal.pause()
    time.sleep(0.1)
    os._exit(0)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def append(path):
    with open(path, "a", encoding="utf-8") as f:
        f.write("!")


def main():
    os.environ["XDG_STATE_HOME"] = os.path.join(T, "state")
    box = Sandbox("leases")
    for name in ("r", "w", "kept", "other"):
        write_file(os.path.join(box.lower, name), name)
    box.mount()
    wrong = 0
    for name, use, want in (("r", read, "r"), ("w", append, None), ("kept", read, "EAGAIN")):
        pid = hold(os.path.join(box.lower, name), name != "kept")
        got = result(use, os.path.join(box.mnt, name))
        if name == "kept":
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if got != want:
            print("%s: %r instead of %r" % (name, got, want))
            wrong += 1
    for name, want in (("w", "w!"), ("kept", "kept"), ("other", "other")):
        if read(os.path.join(box.mnt, name)) != want:
            print(name, "is not what it should be")
            wrong += 1
    box.unmount()
    return 1 if wrong else 0


sys.exit(main())

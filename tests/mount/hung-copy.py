#!/usr/bin/env python3
"""More copies that do not end, from a file system that has stopped to answer, than the pool has threads: what others wait for goes on."""

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time

from sandbox import OSFUSE, T

MS_NOSUID, MNT_DETACH = 2, 2
N_HUNG = 40
PATIENCE = 60  # seconds: it is a hang that is looked for, not a delay
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 26, 36, 42
ENOSYS = 38

libc = ctypes.CDLL(None, use_errno=True)
LOWER, UPPER, WORK, MNT = (os.path.join(T, name) for name in ("lower", "upper", "work", "mnt"))


def attr(node):
    """The root is a directory, each other a file."""
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<6Q10I", node, 5, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """None: not at all."""
    if opcode == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0, *[0] * 8)
    if opcode == LOOKUP:
        child = 2 + int(body[:-1])
        return struct.pack("<4Q2I", child, 0, 3600, 3600, 0, 0) + attr(child)
    if opcode == GETATTR:
        return struct.pack("<Q2I", 3600, 0, 0) + attr(node)
    return None if opcode in (FORGET, BATCH_FORGET, INTERRUPT, OPEN, READ) else -ENOSYS


def serve(fd):
    """Shows files, and keeps waiting who opens one."""
    while True:
        message = os.read(fd, 1 << 20)
        _, opcode, unique, node = struct.unpack_from("<2I2Q", message)
        a = answer(opcode, node, message[40:])
        error, data = (a, b"") if isinstance(a, int) else (0, a)
        if data is not None:
            os.write(fd, struct.pack("<IiQ", 16 + len(data), error, unique) + data)


def mount_slow(path):
    """The process that serves it. Its end ends the file system."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
    if libc.mount(b"slow", os.fsencode(path), b"fuse", MS_NOSUID, options) != 0:
        raise OSError(ctypes.get_errno(), path)
    pid = os.fork()
    if pid == 0:
        serve(fd)
    os.close(fd)
    return pid


def use(name):
    """What takes the pool: a rename, the copy of another file, and a wait for the disk."""
    script = 'echo x >"$0/new" && mv "$0/new" "$0/$1.new" && echo x >>"$0/$1" && sync "$0/$1"'
    subprocess.run(["sh", "-c", script, MNT, name], timeout=PATIENCE, check=True)


def main():
    wrong = []
    slow = LOWER + "/slow"
    for path in (slow, UPPER, WORK, MNT):
        os.makedirs(path, exist_ok=True)
    for name in ("good", "other"):
        with open(os.path.join(LOWER, name), "w", encoding="utf-8") as f:
            f.write("good")
    server = mount_slow(slow)
    subprocess.run([OSFUSE, "mount", "--lower", LOWER, "--upper", UPPER, "--work", WORK, MNT], check=True, timeout=PATIENCE)
    hung = ["sh", "-c", 'echo x >>"$0"']
    held_up = [subprocess.Popen(hung + [MNT + "/slow/%d" % i], stderr=subprocess.DEVNULL) for i in range(N_HUNG)]
    time.sleep(2)  # until they are in there: nothing tells
    try:
        use("good")
    except subprocess.TimeoutExpired:
        wrong.append("copies do not end, and so does nothing else")
    if any(p.poll() is not None for p in held_up):
        wrong.append("something was copied")
    os.kill(server, signal.SIGKILL)  # whoever waits there is let go
    os.waitpid(server, 0)
    for p in held_up:
        if p.wait(PATIENCE) == 0:
            wrong.append("something was written")
    use("other")
    subprocess.run([OSFUSE, "umount", MNT], check=True, timeout=PATIENCE)
    libc.umount2(os.fsencode(slow), MNT_DETACH)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

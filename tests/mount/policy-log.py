#!/usr/bin/env python3
"""What is recorded of an access, of programs of all kinds: who it was, and that it is there at all."""

import json
import os
import subprocess
import sys
import threading

from sandbox import AS_ROOT, OSFUSE, Sandbox, result, write_file


def records(box):
    text = subprocess.run([OSFUSE, "log", "--json", box.name], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def of_path(box, path):
    found = [r for r in records(box) if r["path"] == path]
    assert found, path + " is not recorded"
    return found[0]


def test_process():
    """Requests come from threads; the log is about processes."""
    box = Sandbox("process", "hide /s*\n")
    box.mount()
    thread = threading.Thread(target=result, args=(os.stat, box.mnt + "/s-thread"))
    thread.start()
    thread.join()
    result(os.stat, box.mnt + "/s-main")
    for name in "/s-thread", "/s-main":
        assert of_path(box, name)["pid"] == os.getpid(), (of_path(box, name), os.getpid())
    box.unmount()


NAMELESS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.prctl(4, 0)  # PR_SET_DUMPABLE
libc.prctl(15, b"in\\ncognito")  # PR_SET_NAME
try:
    os.stat(sys.argv[1])
except OSError:
    pass
"""


def test_nameless():
    """Where its file cannot be seen, it is at least said what a program calls itself."""
    box = Sandbox("nameless", "hide /s*\n")
    box.mount()
    program = subprocess.Popen([sys.executable, "-c", NAMELESS, box.mnt + "/s"])
    assert program.wait() == 0
    seen = of_path(box, "/s")
    assert seen["pid"] == program.pid, seen
    if AS_ROOT:
        assert os.path.basename(seen["exe"]).startswith("python") and "comm" not in seen, seen
    else:
        assert "exe" not in seen and seen["comm"] == "in\ncognito", seen
    box.unmount()


def test_listed():
    """Whoever asks for the attributes of all that is in a directory is seen to do so, though the kernel could have had them with the names."""
    box = Sandbox("listed", "log all\n")
    names = ["f%d" % i for i in range(50)]
    for name in names:
        write_file(box.lower + "/d/" + name, "x")
    box.mount()
    for entry in os.scandir(box.mnt + "/d"):
        entry.stat()
    looked = {r["path"] for r in records(box) if r["op"] == "look"}
    assert looked >= {"/d/" + name for name in names}, sorted(looked)
    box.unmount()


def test_link():
    """Where a link leads is asked by everybody who reads it, and not by the first one only."""
    box = Sandbox("link", "log /l\n")
    os.symlink("target", box.lower + "/l")
    box.mount()
    for _ in range(5):
        assert os.readlink(box.mnt + "/l") == "target"
    box.unmount()  # what was done again within a second is written then
    n = sum(r.get("count", 1) for r in records(box) if r["op"] == "read" and r["path"] == "/l")
    assert n == 5, n


test_process()
test_nameless()
test_listed()
test_link()

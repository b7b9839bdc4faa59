#!/usr/bin/env python3
"""What is recorded of an access, of programs of all kinds: who it was, and that it is there at all."""

import json
import os
import subprocess
import threading

from sandbox import OSFUSE, Sandbox, result


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


test_process()

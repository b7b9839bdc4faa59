#!/usr/bin/env python3
"""Whoever is slow at the control socket keeps neither others waiting for long, nor the view from being unmounted."""

import os
import socket
import sys
import threading
import time

from sandbox import Sandbox, write_file

PATIENCE = 2  # of the daemon with one who has connected
AT_A_TIME = 16
wrong = []


def connect(box):
    fd = os.open(os.path.join(os.environ["XDG_STATE_HOME"], "osfuse", box.name), os.O_PATH | os.O_DIRECTORY)
    s = socket.socket(socket.AF_UNIX)
    s.connect("/proc/self/fd/%d/control" % fd)
    os.close(fd)
    return s


def drip(peer):
    """Always a byte more, and never a line."""
    try:
        while True:
            peer.send(b"x")
            time.sleep(0.2)
    except OSError:
        pass


def takes(what, limit, function, *args):
    began = time.monotonic()
    result = function(*args)
    spent = time.monotonic() - began
    if spent > limit:
        wrong.append("%s: %.1f s" % (what, spent))
    return result


def dripping(box):
    peer = connect(box)
    threading.Thread(target=drip, args=(peer,), daemon=True).start()
    takes("reload behind one who drips", PATIENCE / 2, box.reload, "hide /f\n")
    peer.close()


def silent(box):
    """Several who say nothing; then as many as are heard at a time, the next one after them."""
    peers = [connect(box) for _ in range(5)]
    takes("reload behind some who are silent", PATIENCE / 2, box.reload, "hide /f\n")
    peers += [connect(box) for _ in range(AT_A_TIME - len(peers))]
    takes("reload behind all who are heard", PATIENCE + 1.5, box.reload, "hide /f\n")
    for peer in peers:
        peer.settimeout(PATIENCE + 1.5)
        if peer.recv(1):
            wrong.append("who is silent is answered")
        peer.close()


def unread(box):
    """More is wrong than a socket holds, each with a long path, and nobody reads it: the next one is heard."""
    path = os.path.join(box.base, *["long" * 60] * 14, "policy")
    write_file(path, "nonsense\n" * 100)
    box.set_policy("include %s\n" % path)
    peer = connect(box)
    peer.sendall(b"reload\n")
    takes("request behind one who does not read", PATIENCE / 2, box.ask, "other")
    peer.close()
    if len(box.ask("reload")) < 100 * len(path):
        wrong.append("not all that is wrong is said")


def at_the_end(box, what, prepare):
    peer = connect(box)
    prepare(peer)
    time.sleep(0.3)  # so that it has been accepted, most likely
    takes("unmounting, " + what, PATIENCE / 2, box.unmount)
    peer.close()


def main():
    box = Sandbox("control")
    write_file(os.path.join(box.lower, "f"), "x")
    box.mount()
    dripping(box)
    silent(box)
    unread(box)
    at_the_end(box, "one does not read", lambda peer: peer.sendall(b"reload\n"))
    box.set_policy("hide /f\n")
    for what, prepare in (("one is silent", lambda peer: None),
                          ("one drips", lambda peer: threading.Thread(target=drip, args=(peer,), daemon=True).start())):
        box.mount()
        at_the_end(box, what, prepare)
    for text in wrong:
        print(text)
    return 1 if wrong else 0


sys.exit(main())

#!/usr/bin/env python3
"""What a program has kept when the policy is replaced: descriptors, mappings, directories, and where it is."""

import errno
import json
import mmap
import os
import signal
import subprocess
import sys

from sandbox import OSFUSE, Sandbox, write_file

TEXT = "SECRET" * 1000
wrong = []


def expect(what, got, want):
    if got not in (want if isinstance(want, set) else {want}):
        wrong.append("%s: %r, not %r" % (what, got, want))


def result(function, *args, **kwargs):
    try:
        got = function(*args, **kwargs)
        return "ok" if got is None else got
    except OSError as e:
        return errno.errorcode[e.errno]


def touch(m, write=False):
    """What happens to a process that uses a mapping: "read", "written", or the signal it dies of."""
    pid = os.fork()
    if pid == 0:
        if write:
            m[0:1] = b"s"
        os._exit(m[0:6].upper() != b"SECRET")
    status = os.waitpid(pid, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else ("other", "written" if write else "read")[status == 0]


def mapped(path, write=False, private=False):
    fd = os.open(path, os.O_RDWR if write else os.O_RDONLY)
    try:
        prot = mmap.PROT_READ | (mmap.PROT_WRITE if write else 0)
        return mmap.mmap(fd, 0, mmap.MAP_PRIVATE if private else mmap.MAP_SHARED, prot)
    finally:
        os.close(fd)


def append(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, b"!")
    finally:
        os.close(fd)


def put(fd):
    os.pwrite(fd, b"SECRET", 0)


def mappings(box):
    for rule, signals in (("hide /d/f\n", "SIGBUS"), ("deny /d\n", "SIGBUS"), ("hide /d\n", "SIGBUS")):
        box.reload("")
        fresh, used, private = mapped("d/f"), mapped("d/f"), mapped("d/f", private=True)
        expect("mapping, before", touch(used), "read")
        expect("private mapping, before", touch(private), "read")
        box.reload(rule)
        expect("mapping that was used, " + rule, touch(used), signals)
        expect("mapping that was not, " + rule, touch(fresh), signals)
        expect("private mapping, " + rule, touch(private), signals)
        box.reload("")
        expect("mapping, allowed again", touch(used), "read")
    for rule in ("ro /d\n", "noexec /d\n", "hide /e\n"):
        box.reload("")
        used = mapped("d/f")
        expect("mapping, before", touch(used), "read")
        box.reload(rule)
        expect("mapping, " + rule, touch(used), "read")


def written_mappings(box):
    box.reload("")
    m = mapped("d/w", write=True)
    m[0:6] = b"secret"
    m.flush()
    box.reload("ro /d\n")
    expect("mapping to write, read-only", m[0:6], b"secret")
    m[6:12] = b"secret"
    expect("brought out, read-only", result(m.flush), {"EROFS", "EIO"})
    fd = os.open("d/w", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    with open(os.path.join(box.upper, "d/w"), "rb") as f:
        expect("content in the upper", f.read(12), b"secretSECRET")
    box.reload("")
    m[0:6] = b"SECRET"
    expect("brought out, allowed again", result(m.flush), "ok")
    # What is not brought out yet when it is hidden.
    m[0:6] = b"secret"
    box.reload("hide /d\n")
    expect("mapping to write, hidden", touch(m), "SIGBUS")
    expect("mapping to write, hidden", touch(m, write=True), "SIGBUS")
    box.reload("")
    m = mapped("d/w", write=True)
    m[0:6] = b"SECRET"
    expect("what was lost is said once", result(m.flush), {"ok", "EIO"})
    m[6:12] = b"SECRET"
    expect("brought out in the end", result(m.flush), "ok")
    expect("read", result(lambda: read("d/w")[:6]), b"SECRET")


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 20)
    finally:
        os.close(fd)


def descriptors(box):
    for rule, reading, writing in (("hide /d\n", "EACCES", "EACCES"), ("deny /d\n", "EACCES", "EACCES"),
                                   ("deny /d errno=EPERM\n", "EACCES", "EACCES"), ("ro /d\n", b"SECRET", "EROFS"),
                                   ("hide /d\ncow /d/f\n", b"SECRET", "ok"), ("noexec /d\n", b"SECRET", "ok"),
                                   ("hide /\ncow /e\n", "EACCES", "EACCES")):
        box.reload("")
        r, w, direct = os.open("d/f", os.O_RDONLY), os.open("d/f", os.O_RDWR), os.open("d/f", os.O_PATH)
        copy = os.open("e/copy", os.O_RDWR | os.O_CREAT)
        expect("before", os.pread(r, 6, 0), b"SECRET")
        put(w)
        box.reload(rule)
        for _ in range(2):
            expect("read, " + rule, result(os.pread, r, 6, 0), reading)
            expect("read what is written to, " + rule, result(os.pread, w, 6, 0), reading)
            expect("read far, " + rule, result(os.pread, r, 6, 4096), reading if reading == "EACCES" else TEXT.encode()[4096:4102])
            expect("write, " + rule, result(put, w), writing)
        expect("truncate, " + rule, result(os.ftruncate, w, len(TEXT)), {writing, "ENOENT", "EPERM"} if writing == "EACCES" else writing)
        expect("allocate, " + rule, result(os.posix_fallocate, w, 0, 10), writing)
        expect("sendfile, " + rule, result(os.sendfile, copy, r, 0, 6), reading if reading == "EACCES" else 6)
        expect("copy_file_range, " + rule, result(os.copy_file_range, r, copy, 6, 0, 0), reading if reading == "EACCES" else 6)
        expect("mapped, " + rule, result(lambda: touch(mmap.mmap(r, 6, mmap.MAP_SHARED, mmap.PROT_READ))),
               {"SIGBUS", "EACCES", "ENOENT"} if reading == "EACCES" else "read")
        expect("reopened, " + rule, result(read, "/proc/self/fd/%d" % direct)[:6],
               {"EACCES", "ENOENT", "EPERM"} if reading == "EACCES" else b"SECRET")
        for fd in (r, w, direct, copy):
            os.close(fd)


def recorded(box):
    """What is refused of descriptors is in the log: by whom, and once for a use."""
    box.reload("")
    fds = [os.open("d/f", os.O_RDWR), os.open("d", os.O_RDONLY | os.O_DIRECTORY)]
    box.reload("deny /d\n")
    for _ in range(3):
        for use in (lambda: os.pread(fds[0], 6, 0), lambda: put(fds[0]), lambda: os.listdir(fds[1])):
            expect("used", result(use), "EACCES")
    box.reload("ro /d\n")
    expect("used again", result(put, fds[0]), "EROFS")
    for fd in fds:
        os.close(fd)
    said = subprocess.run([OSFUSE, "log", "--json", "--refused", box.name], capture_output=True, check=True).stdout
    records = [(r["op"], r["path"], r["error"], r["rule"]["text"], r.get("count", 1))
               for r in map(json.loads, said.splitlines()) if r["pid"] == os.getpid()]
    for record in (("read", "/d/f", "EACCES", "/d", 1), ("write", "/d/f", "EACCES", "/d", 1), ("write", "/d/f", "EROFS", "/d", 1)):
        expect("recorded %s %s" % record[::2][:2], records.count(record), 1)
    expect("recorded list", any(r[:4] == ("list", "/d", "EACCES", "/d") for r in records), True)


def directories(box):
    """Of what is allowed all goes on; of what is hidden for a while, at least names are found by descriptor again."""
    box.reload("")
    here = os.path.join(box.mnt, "e/sub")
    os.chdir(here)
    kept = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    for rule in ("hide /d\n", "hide /e/x\n", "deny /d\n", "ro /e\n", "noexec /e\n", "cow /e\n", "hide /*\ncow /e/sub\n",
                 "file /e/sub/made \"x\"\n", "hide /e/sub/none\n", "ro /\n", "rw /e/sub\n", "rw /\n", "ro /e\n", "rw /e\n", ""):
        box.reload(rule)
        expect("where we are, " + rule, result(os.getcwd), here)
        said = subprocess.run(["/bin/pwd", "-P"], capture_output=True, text=True, check=False).stdout.strip()
        expect("by a program, " + rule, said, here)
        expect("listed, " + rule, " ".join(set(os.listdir(".")) - {"made"}), "g")
        expect("read, " + rule, result(read, "g"), b"open")
        expect("read by descriptor, " + rule, result(read, "/proc/self/fd/%d/g" % kept), b"open")
        expect("up, " + rule, result(lambda: "g" in os.listdir("../sub")), True)
    for rule in ("hide /e\n", "deny /e\n"):
        box.reload(rule)
        expect("read from where we are, " + rule, result(read, "g"), {"ENOENT", "EACCES"})
        expect("read by descriptor, " + rule, result(lambda: read("/proc/self/fd/%d/g" % kept)), {"ENOENT", "EACCES"})
        expect("listed from where we are, " + rule, result(lambda: len(os.listdir("."))), {"ENOENT", "EACCES"})
        expect("listed by descriptor, " + rule, result(lambda: len(os.listdir(kept))), {"ENOENT", "EACCES"})
        expect("made, " + rule, result(os.mkdir, "new"), {"ENOENT", "EACCES"})
        expect("up, " + rule, result(os.listdir, ".."), {"ENOENT", "EACCES"})
        box.reload("")
        expect("read again", result(read, "g"), b"open")
        expect("listed again", " ".join(os.listdir(kept)), "g")
    os.close(kept)
    os.chdir(box.mnt)


def lower_and_upper(box):
    """From the upper to the lower: the names lead to other objects, and who is in there stays where he was."""
    box.reload("")
    append("e/f")
    r, w = os.open("e/f", os.O_RDONLY), os.open("e/f", os.O_RDWR)
    expect("in the upper", os.pread(r, 20, 0), b"open!")
    box.reload("rw /e\n")
    expect("in the lower", result(read, "e/f"), b"open")
    expect("what was open is what it was", os.pread(r, 20, 0), b"open!")
    expect("and is not written to", result(os.pwrite, w, b"O", 0), "ESTALE")
    expect("it is what it was", os.pread(r, 20, 0), b"open!")
    expect("and so is the lower", result(read, "e/f"), b"open")
    box.reload("")
    expect("in the upper again", result(read, "e/f"), b"open!")
    os.pwrite(w, b"O", 0)
    expect("and written to", result(read, "e/f"), b"Open!")
    os.close(r)
    os.close(w)


def whole(box):
    """The root itself is hidden: nothing is there, and the view can still be taken down."""
    box.reload("hide /\n")
    expect("the root", result(os.listdir, box.mnt), "ENOENT")
    expect("in it", result(read, box.mnt + "/e/f"), "ENOENT")
    box.reload("")
    expect("the root again", " ".join(sorted(os.listdir(box.mnt))), "d e")


def failing(box):
    """A policy with an error is not used, and the answer says where it is."""
    box.reload("hide /d\n")
    box.set_policy("hide /e\nhyde /d\n")
    answer = box.ask("reload")
    expect("refused", answer.startswith("failed\n") and ":2:1:" in answer, True)
    os.unlink(box.policy_file)
    expect("refused, without a file", box.ask("reload").startswith("failed\n"), True)
    expect("another request", box.ask("other").startswith("failed\n"), True)
    expect("the old one holds", (result(os.stat, "d"), "e" in os.listdir(".")), ("ENOENT", True))
    box.reload("")


def main():
    box = Sandbox("kept")
    for path, text in (("d/f", TEXT), ("d/w", TEXT), ("e/f", "open"), ("e/sub/g", "open"), ("e/x/y", "")):
        write_file(os.path.join(box.lower, path), text)
    box.mount()
    os.chdir(box.mnt)
    for case in (recorded, mappings, written_mappings, descriptors, directories, lower_and_upper, failing):
        before = len(wrong)
        case(box)
        print("%s: %d wrong" % (case.__name__, len(wrong) - before))
    os.chdir("/")
    whole(box)
    box.reload("hide /\n")
    box.unmount()
    for text in wrong:
        print(text)
    return 1 if wrong else 0


sys.exit(main())

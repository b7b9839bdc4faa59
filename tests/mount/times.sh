#!/bin/sh
# A directory's times change when its names do, and only then; what fails changes nothing.
. "$HERE/lib.sh"
mkdir -p "$L/d/full" "$L/d/empty"
touch "$L/d/f" "$L/d/full/x"
find "$L" -exec touch -d '2001-01-01 00:00:00' {} +
mount_view
python - "$M" <<'PY'
import os, sys, time
os.chdir(sys.argv[1])

def times(path="d"):
    st = os.stat(path)
    return st.st_mtime_ns, st.st_ctime_ns

def attempt(f, *args, ok=False):
    try:
        f(*args)
        assert ok, args
    except OSError:
        assert not ok, args

with open("d/full/up", "w"):  # d is in the upper from here
    pass
before = times()
assert before[0] < 1_000_000_000_000_000_000, "copy-up changed the time of a parent"
time.sleep(0.02)
attempt(os.mkdir, "d/full")
attempt(os.mkdir, "d/f")
attempt(os.rmdir, "d/full")
attempt(os.unlink, "d/missing")
attempt(os.unlink, "d/full")
attempt(os.symlink, "x", "d/f")
attempt(os.link, "d/f", "d/full")
attempt(os.mkfifo, "d/f")
attempt(os.rename, "d/missing", "d/y")
attempt(os.rename, "d/f", "d/full")
attempt(os.open, "d/f", os.O_CREAT | os.O_EXCL)
assert times() == before, "a failing operation changed the directory's times"

def changes(f, *args):
    old = times()
    time.sleep(0.02)
    f(*args)
    new = times()
    assert new[0] > old[0] and new[1] > old[1], "%s%r left the directory's times" % (f.__name__, args)

changes(os.mkdir, "d/new")
changes(os.rmdir, "d/new")
changes(os.rename, "d/f", "d/g")
changes(os.link, "d/g", "d/h")
changes(os.unlink, "d/h")
changes(os.symlink, "x", "d/l")
changes(os.rmdir, "d/empty")
changes(os.mkfifo, "d/p")
old = times("d/g")
time.sleep(0.02)
os.link("d/g", "d/k")
assert times("d/g")[0] == old[0] and times("d/g")[1] > old[1], "link() changes ctime alone"
now = time.time_ns()
time.sleep(0.02)
fd = os.open("d/fresh", os.O_CREAT | os.O_RDWR)
assert min(times("d/fresh")) > now and os.fstat(fd).st_ctime_ns > now, "stale time in the reply to a create"
PY

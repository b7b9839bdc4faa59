#!/bin/sh
# System calls under a storm of signals never end with EINTR where a local file system's do not.
. "$HERE/lib.sh"
for i in $(seq 60); do
	dd if=/dev/zero of="$L/f$i" bs=1M count=1 2>/dev/null
done
mount_view
python - "$M" <<'PY'
import ctypes, errno, os, signal, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
count = 0

def handler(*_):
    global count
    count += 1

def call(name, *args):
    """Directly: Python itself would try again after EINTR."""
    r = getattr(libc, name)(*args)
    assert r >= 0, "%s%r: %s" % (name, args, errno.errorcode[ctypes.get_errno()])
    return r

signal.signal(signal.SIGALRM, handler)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
buf = ctypes.create_string_buffer(65536)
for i in range(1, 61):
    name = b"f%d" % i
    fd = call("open", name, os.O_RDWR)  # copies up
    assert call("read", fd, buf, 65536) == 65536
    assert call("write", fd, buf, 65536) == 65536
    call("fsync", fd)
    call("close", fd)
    fd = call("open", b"new%d" % i, os.O_RDWR | os.O_CREAT, 0o644)
    call("close", fd)
    call("rename", name, b"g%d" % i)
    call("mkdir", b"d%d" % i, 0o755)
    call("unlink", b"new%d" % i)
signal.setitimer(signal.ITIMER_REAL, 0)
assert count > 20, "hardly a signal came: %d" % count
PY

#!/usr/bin/env python3
"""What a walk over many files costs the daemon: memory at its peak and after the kernel has forgotten, descriptors.

Run as root by tests/mount/run: it drops the kernel's name cache. --no-limits only prints (for builds with sanitizers).
"""

import argparse
import ctypes
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

from tree import daemon_pids, mount_a

PR_CAPBSET_DROP, CAP_SYS_RESOURCE = 24, 24
MIB = 1 << 20


def make(lower, n):
    for d in range(n // 100):
        path = os.path.join(lower, "directory-%d" % d)
        os.mkdir(path)
        fd = os.open(path, os.O_RDONLY)
        for f in range(100):
            os.close(os.open("file-name-%d" % f, os.O_CREAT, 0o644, dir_fd=fd))
        os.close(fd)


def walk(mnt):
    n, todo = 0, [mnt]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for e in entries:
                n += 1
                e.stat(follow_symlinks=False)
                if e.is_dir(follow_symlinks=False):
                    todo.append(e.path)
    return n


def memory(pid):
    with open("/proc/%d/status" % pid) as f:
        text = f.read()
    return [int(re.search(name + r":\s+(\d+) kB", text).group(1)) * 1024 for name in ("VmHWM", "VmRSS")]


def settle(pid):
    """The kernel sends its forgets by and by: wait until the memory stays."""
    last = None
    for _ in range(100):
        now = memory(pid)[1]
        if now == last:
            break
        last = now
        time.sleep(0.3)
    return last


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--files", type=int, default=200_000)
    p.add_argument("--no-limits", action="store_true")
    args = p.parse_args()
    base = tempfile.mkdtemp(prefix="walk-", dir=os.environ.get("T"))
    lower, upper, work, mnt = dirs = [os.path.join(base, d) for d in ("lower", "upper", "work", "mnt")]
    for d in dirs:
        os.mkdir(d)
    make(lower, args.files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0)  # root's daemon would go beyond
    mount_a([lower], upper, work, mnt)
    try:
        pid = next(daemon_pids())
        start = memory(pid)[1]
        n = walk(mnt)
        peak, after = memory(pid)
        fds = len(os.listdir("/proc/%d/fd" % pid))
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("2\n")
        settled = settle(pid)
    finally:
        subprocess.run(["umount", mnt], check=True)
    per_node = (after - start) / n
    print("%d objects: resident %.1f MiB at the start, %.1f at the peak, %.1f after the walk, %.1f settled; "
          "%.0f bytes a node; %d descriptors" % (n, start / MIB, peak / MIB, after / MIB, settled / MIB, per_node, fds))
    faults = []
    if n != args.files + args.files // 100:
        faults.append("the walk found %d objects" % n)
    if not args.no_limits:
        faults += ["over 300 bytes a node"] if per_node > 300 else []
        faults += ["memory is not given back"] if settled > 20 * MIB else []
        faults += ["too many descriptors"] if fds > 1000 else []
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

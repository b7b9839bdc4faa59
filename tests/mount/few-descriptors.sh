#!/bin/sh
# 1,024 descriptors are enough for a walk, and copy-ups, over 20,000 files.
. "$HERE/lib.sh"
if [ -z "${WITHIN-}" ]; then
	WITHIN=1 within_limits "$0"
	exit
fi
ulimit -n 1024
python - "$L" <<'PY'
import os, sys
for d in range(200):
    os.mkdir("%s/%d" % (sys.argv[1], d))
    for f in range(100):
        os.close(os.open("%s/%d/%d" % (sys.argv[1], d, f), os.O_CREAT, 0o644))
PY
mount_view
is "$(find "$M" -type f -size -1 | wc -l)" 20000
is "$(find "$M" -type f | xargs stat -c %i | sort -u | wc -l)" 20000 "different inode numbers"
for d in $(seq 0 199); do
	echo x >"$M/$d/0"
done
is "$(cat "$M"/*/0 | wc -l)" 200
for p in $(daemon_pids); do
	n=$(ls "/proc/$p/fd" | wc -l)
	[ "$n" -lt 1000 ] || fail "the daemon holds $n descriptors"
done
python - "$M" <<'PY'
import os, sys
fds = [os.open("%s/%d/%d" % (sys.argv[1], i // 100, i % 100), os.O_RDONLY) for i in range(500)]
assert all(os.read(fd, 10) in (b"", b"x\n") for fd in fds)
PY

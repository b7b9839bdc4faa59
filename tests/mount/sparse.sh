#!/bin/sh
# Copy-up keeps holes, and what SEEK_DATA tells fits the content.
. "$HERE/lib.sh"
truncate -s 1G "$L/big"
for mib in 1 500 1000; do
	dd if=/dev/urandom of="$L/big" bs=4096 count=1 seek=$((mib * 256)) conv=notrunc 2>/dev/null
done
truncate -s 64M "$L/holes"
mount_view
for f in big holes; do
	printf x | dd of="$M/$f" bs=1 seek=8192 conv=notrunc 2>/dev/null
	is "$(stat -c %s "$M/$f")" "$(stat -c %s "$L/$f")" size
done
[ "$(blocks_kib "$U")" -lt 4096 ] || fail "the upper takes $(blocks_kib "$U") KiB"
python - "$L/big" "$M/big" <<'PY'
import os, sys
a, b = (os.open(p, os.O_RDONLY) for p in sys.argv[1:])
for off in (1 << 20, 500 << 20, 1000 << 20, (1 << 30) - 4096):
    assert os.pread(a, 4096, off) == os.pread(b, 4096, off), off
assert os.pread(b, 4, 8191) == b"\0x\0\0"
pos, data = 0, 0
while True:
    try:
        start = os.lseek(b, pos, os.SEEK_DATA)
    except OSError:
        break
    pos = os.lseek(b, start, os.SEEK_HOLE)
    data += pos - start
assert 4 * 4096 <= data < 4 << 20, data
PY

# What a mapping has put into a hole is data before the layer hears of it: no copy may leave it out. Attributes that the kernel remembers
# from before the open count too.
truncate -s 1M "$M/db"
is "$(stat -c %b "$M/db")" 0 "blocks of a hole"
python - "$M/db" "$M/copy" "$T/db.tar" <<'PY'
import mmap, os, subprocess, sys
db, copy, archive = sys.argv[1:]
fd = os.open(db, os.O_RDWR)
m = mmap.mmap(fd, 1 << 20)
os.close(fd)
m[:9] = m[500000:500009] = b"important"
subprocess.run(["tar", "--sparse", "-C", os.path.dirname(db), "-cf", archive, "db"], check=True)
subprocess.run(["cp", db, copy], check=True)
tarred = subprocess.run(["tar", "-xOf", archive], check=True, capture_output=True).stdout
for what, data in ("copy", open(copy, "rb").read()), ("archive", tarred):
    assert data[:9] == data[500000:500009] == b"important", what
m.close()
fd = os.open(db, os.O_RDONLY)
assert os.lseek(fd, 4096, os.SEEK_DATA) > 400000, "holes come back when nobody maps the file"
PY

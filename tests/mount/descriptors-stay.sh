#!/bin/sh
# Descriptors and mappings stay with their file: over copy-up, later writes, rename, removal.
. "$HERE/lib.sh"
echo "first content" >"$L/f"
echo "mapped" >"$L/m"
echo "deleted" >"$L/d"
echo "renamed" >"$L/r"
mkdir -p "$L/l/old"
mount_view
cd "$M"
python - <<'PY'
import mmap, os

def opened(name, flags=os.O_RDONLY):
    return os.open(name, flags)

# a reader from before the copy-up sees what is written after it
reader = opened("f")
assert os.read(reader, 5) == b"first"
writer = opened("f", os.O_RDWR)
os.pwrite(writer, b"FIRST", 0)
assert os.pread(reader, 5, 0) == b"FIRST", os.pread(reader, 5, 0)
os.ftruncate(writer, 3)
assert os.fstat(reader).st_size == 3
assert os.fstat(reader).st_ino == os.fstat(writer).st_ino == os.stat("f").st_ino

# a mapping too, and a shared writable one is coherent with read and write
fd = opened("m")
m = mmap.mmap(fd, 6, mmap.MAP_SHARED, mmap.PROT_READ)
assert m[:] == b"mapped"
fd2 = opened("m", os.O_RDWR)
os.pwrite(fd2, b"MAP", 0)
assert m[:] == b"MAPped", m[:]
w = mmap.mmap(fd2, 6, mmap.MAP_SHARED)
w[3:6] = b"PED"
w.flush()
assert m[:] == b"MAPPED" and os.pread(fd, 6, 0) == b"MAPPED", m[:]

# removed but open: lower file, upper file, and one written to after its removal
fd = opened("d")
os.unlink("d")
assert os.read(fd, 100) == b"deleted\n" and os.fstat(fd).st_nlink == 0
fd = opened("new", os.O_RDWR | os.O_CREAT)
os.unlink("new")
os.write(fd, b"still here")
assert os.pread(fd, 100, 0) == b"still here" and os.fstat(fd).st_nlink == 0
os.fchmod(fd, 0o600)
os.ftruncate(fd, 5)
assert os.fstat(fd).st_size == 5 and os.fstat(fd).st_mode & 0o777 == 0o600

# renamed while open
fd = opened("r")
os.rename("r", "r2")
with open("r2", "a") as f:
    f.write("more\n")
assert os.pread(fd, 100, 0) == b"renamed\nmore\n"

# a directory shows what is in it when it is read, not what was when it was opened
fd = os.open("l", os.O_RDONLY | os.O_DIRECTORY)
os.mkdir("new", dir_fd=fd)
os.rmdir("old", dir_fd=fd)
assert os.listdir(fd) == ["new"], os.listdir(fd)
PY
is "$(ls -A | tr '\n' ' ')" "f l m r2 "

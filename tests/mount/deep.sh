#!/bin/sh
# Trees far deeper than PATH_MAX, in the lower and in the upper, of names of 255 bytes.
. "$HERE/lib.sh"
cat >"$T/deep.py" <<'PY'
"""deep.py make|check|change|remove ROOT: 300 levels of 255-byte names, a file at the bottom."""
import os, sys

NAME = "d" * 255

def descend(root, make):
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(300):
        if make:
            os.mkdir(NAME, dir_fd=fd)
        below = os.open(NAME, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    return fd

def opener(fd):
    return lambda path, flags: os.open(path, flags, 0o644, dir_fd=fd)

what, root = sys.argv[1:3]
fd = descend(root, what == "make")
if what == "make":
    with open("leaf", "w", opener=opener(fd)) as f:
        f.write("bottom")
elif what == "change":
    with open("leaf", "a", opener=opener(fd)) as f:
        f.write("+changed")
    os.mkdir("n" * 255, dir_fd=fd)
    os.rename("leaf", "moved", src_dir_fd=fd, dst_dir_fd=fd)
elif what == "check":
    with open("moved", opener=opener(fd)) as f:
        assert f.read() == "bottom+changed"
    assert sorted(os.listdir(fd)) == ["moved", "n" * 255], os.listdir(fd)
PY
mkdir "$L/low"
python "$T/deep.py" make "$L/low"
before=$(find "$L" | wc -c)
mount_view
mkdir "$M/up"
python "$T/deep.py" make "$M/up"
for tree in low up; do
	python "$T/deep.py" change "$M/$tree"
	python "$T/deep.py" check "$M/$tree"
done
remount_view
for tree in low up; do
	python "$T/deep.py" check "$M/$tree"
	is "$(find "$M/$tree" | wc -l)" 303
	rm -r "${M:?}/$tree"
done
is "$(ls -A "$M")" ""
is "$(find "$L" | wc -c)" "$before" "the lower"
remount_view
is "$(ls -A "$M")" ""

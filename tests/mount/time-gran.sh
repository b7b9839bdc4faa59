#!/bin/sh
# Times in steps of a second, or of less: the kernel knows, and nothing shows that is finer; the layers' own times stay.
. "$HERE/lib.sh"
requires_osfuse
echo x >"$L/f"
touch -d '2001-02-03 04:05:06.987654321' "$L/f"
mkdir "$L/d"
ln -s f "$L/l"
touch -h -d '2001-02-03 04:05:06.5' "$L/l"

# all_in STEP FILE…: in nanoseconds
all_in() {
	python - "$@" <<'PY'
import os, subprocess, sys
for path in sys.argv[2:]:
    st = os.lstat(path)
    birth = subprocess.run(["stat", "-c", "%w", path], capture_output=True, text=True, check=True).stdout
    for ns in st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, int((birth.split(".")[1].split()[0])):
        assert ns % int(sys.argv[1]) == 0, (path, ns)
PY
}

mount_view "$L" "$U" "$W" "$M" --time-gran=1s
is "$(stat -c %y "$M/f")" '2001-02-03 04:05:06.000000000 +0000'
is "$(stat -c %y "$M/l")" '2001-02-03 04:05:06.000000000 +0000'
all_in 1000000000 "$M" "$M/f" "$M/d" "$M/l"
# a copy is no change
before=$(stat -c '%x %y %z %w' "$M/f")
: >>"$M/f"
is "$(stat -c '%x %y %z %w' "$M/f")" "$before"
is "$(stat -c %y "$U/f")" '2001-02-03 04:05:06.987654321 +0000'
echo y >>"$M/f"
mkdir "$M/d/sub"
echo new >"$M/d/new"
ln -s x "$M/d/link"
mkfifo "$M/d/fifo"
ln "$M/d/new" "$M/d/hard"
mv "$M/d/hard" "$M/d/moved"
cp -p "$L/l" "$M/d/copy"
all_in 1000000000 "$M" "$M/f" "$M/d" "$M/d/"*
touch -d '2001-02-03 04:05:06.987654321' "$M/d/new"
touch -h -d '1969-12-31 23:59:58.5' "$M/d/link"
is "$(stat -c %y "$M/d/new")" '2001-02-03 04:05:06.000000000 +0000'
is "$(stat -c %y "$U/d/new")" '2001-02-03 04:05:06.000000000 +0000' "what is stored"
is "$(stat -c %y "$M/d/link")" '1969-12-31 23:59:58.000000000 +0000'
python - "$M/d/new" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.utime(fd, ns=(1_500_000_000, 2_999_999_999))
st = os.fstat(fd)
assert (st.st_atime_ns, st.st_mtime_ns) == (1_000_000_000, 2_000_000_000), st
os.utime(fd)
assert os.fstat(fd).st_mtime_ns % 1_000_000_000 == 0
PY
is "$(find "$M" -newermt '2001-02-03 04:05:06.5' -name l)" ''
unmount_view

mount_view "$L" "$U" "$W" "$M" -o time_gran=100us
touch -d '2001-02-03 04:05:06.987654321' "$M/d/new"
is "$(stat -c %y "$M/d/new")" '2001-02-03 04:05:06.987600000 +0000'
all_in 100000 "$M" "$M/f" "$M/d" "$M/d/"*
unmount_view
mount_view "$L" "$U" "$W" "$M"
touch -d '2001-02-03 04:05:06.987654321' "$M/d/new"
is "$(stat -c %y "$M/d/new")" '2001-02-03 04:05:06.987654321 +0000'
unmount_view
fails 2 'step of time' mount_view "$L" "$U" "$W" "$M" --time-gran=2s
fails 2 'step of time' mount_view "$L" "$U" "$W" "$M" -o time_gran=1

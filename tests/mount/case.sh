#!/bin/sh
# --case insensitive: names are found in any case and keep theirs; no other spelling is answered from a cache; the policy goes along.
. "$HERE/lib.sh"
requires_osfuse
mkdir -p "$L/Dir" "$L/.ssh"
echo a >"$L/ReadMe"
echo 1 >"$L/Dup"
echo 2 >"$L/dup"
echo x >"$L/Dir/File"
echo k >"$L/.ssh/key"
echo o >"$L/Ärger"
before=$(sum "$L")
mount_view "$L" "$U" "$W" "$M" --case insensitive --hide /.ssh

for name in ReadMe README readme rEADmE; do
	is "$(cat "$M/$name")" a "$name"
done
is "$(cat "$M/DIR/FILE")" x
is "$(cat "$M/ärger")" o
# what differs by case only: each by its own name, others the first
is "$(cat "$M/dup")" 2
is "$(cat "$M/Dup")" 1
is "$(cat "$M/DUP")" 1
is "$(LC_ALL=C ls "$M" | tr '\n' ' ')" "Dir Dup ReadMe dup Ärger "
fails - 'No such file' ls "$M/.SSH"
fails - 'Permission denied' mkdir "$M/.Ssh"
fails - 'File exists' mkdir "$M/dir"

python - "$M" <<'PY'
import os, sys
os.chdir(sys.argv[1])

# A change under one spelling is seen under all others, whatever was asked before.
for name in ("new", "NEW", "New"):
    assert not os.path.exists(name)
with open("New", "w") as f:
    f.write("n")
assert [open(n).read() for n in ("new", "NEW", "New")] == ["n"] * 3
os.unlink("NEW")
assert not any(os.path.exists(n) for n in ("new", "NEW", "New"))
os.mkdir("Deep")
assert os.path.isdir("DEEP")
os.rmdir("dEEP")
assert not os.path.exists("Deep")

# Replacing keeps the name that is there.
with open("tmp", "w") as f:
    f.write("t")
os.rename("TMP", "readme")
assert "ReadMe" in os.listdir(".") and "readme" not in os.listdir("."), os.listdir(".")
assert open("README").read() == "t"
try:
    open("dir/FILE", "x")
    raise SystemExit("made twice")
except FileExistsError:
    pass
try:
    os.link("readme", "DIR/file")
    raise SystemExit("linked over")
except FileExistsError:
    pass

# One that is gone shows the other that was behind it.
os.unlink("Dup")
assert open("DUP").read() == "2\n"
PY

# A name that changes its case only: as root, who can see what the caller is about to do.
if [ "$(id -u)" -eq 0 ]; then
	python - "$M" <<'PY'
import ctypes, os, sys
os.chdir(sys.argv[1])
os.rename("ReadMe", "README")
assert "README" in os.listdir(".") and "ReadMe" not in os.listdir("."), os.listdir(".")
os.rename("Dir", "DIR")
assert "DIR" in os.listdir(".") and os.listdir("dir") == ["File"]
os.rename("dir/FILE", "Dir/file")
assert os.listdir("DIR") == ["file"]
PY
	remount_view
	is "$(LC_ALL=C ls "$M" | tr '\n' ' ')" "DIR README dup Ärger " "after a mount that minds case"
fi
unmount_view
is "$(sum "$L")" "$before" "checksum of the lower"
fails 2 'neither sensitive nor insensitive' "$OSFUSE" mount --lower "$L" --case upper "$M"

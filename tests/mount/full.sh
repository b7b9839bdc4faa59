#!/bin/sh
# A full upper: the operation fails with ENOSPC, nothing half-done shows, the lower is whole and the rest goes on.
. "$HERE/lib.sh"
requires_root
mkdir "$T/small"
mount -t tmpfs -o size=4m,nr_inodes=200 none "$T/small"
U=$T/small/upper W=$T/small/work
mkdir "$U" "$W"
dd if=/dev/urandom of="$L/big" bs=1M count=8 2>/dev/null
echo small >"$L/small"
before=$(sum "$L")
mount_view
ino=$(stat -c %i "$M/big")
fails - 'no space' sh -c "echo x >>'$M/big'"
cmp "$L/big" "$M/big" || fail "the file is damaged"
is "$(stat -c %i "$M/big")" "$ino" "inode number"
is "$(ls -A "$M" | tr '\n' ' ')" "big small "
echo more >>"$M/small"
is "$(tail -n 1 "$M/small")" more
fails - 'no space' dd if=/dev/zero of="$M/filler" bs=1M count=8
rm -f "$M/filler"
echo again >"$M/again"
# no inode left
for i in $(seq 250); do
	mkdir "$M/dir$i" 2>"$T/said" || break
done
grep -qi 'no space' "$T/said" || fail "directories without end"
gone "$M/dir$i"
cat "$M/small" >/dev/null
rmdir "$M"/dir*
is "$(cat "$M/again")" again
remount_view
cmp "$L/big" "$M/big"
is "$(ls -A "$M" | tr '\n' ' ')" "again big small "
is "$(sum "$L")" "$before" "checksum of the lower"

#!/bin/sh
# Opening a large lower file with O_TRUNC, or truncate(2), copies none of the data that goes away: the upper could not hold it.
. "$HERE/lib.sh"
requires_root
mkdir "$T/small"
mount -t tmpfs -o size=4m none "$T/small"
U=$T/small/upper W=$T/small/work
mkdir "$U" "$W"
dd if=/dev/urandom of="$L/trunc" bs=1M count=16 2>/dev/null
cp "$L/trunc" "$L/shorten"
cp "$L/trunc" "$L/grow"
mount_view
echo short >"$M/trunc"
is "$(cat "$M/trunc")" short
is "$(stat -c %s "$L/trunc")" 16777216
python -c 'import os, sys; os.truncate(sys.argv[1], 10)' "$M/shorten"
is "$(head -c 10 "$L/shorten" | md5sum)" "$(md5sum <"$M/shorten")" "what is left"
# the evidence is worth something only if a real copy does not fit
fails - 'no space' truncate -s 20M "$M/grow"
cmp "$L/grow" "$M/grow"

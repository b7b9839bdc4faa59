#!/bin/sh
# 64 lowers: the topmost wins, directories merge, names of all are there.
. "$HERE/lib.sh"
lowers=
for i in $(seq 64); do
	mkdir -p "$T/l/$i/common"
	echo "$i" >"$T/l/$i/common/own$i"
	echo "$i" >"$T/l/$i/common/shared"
	[ "$i" -lt 40 ] || echo "$i" >"$T/l/$i/from40"
	lowers=$lowers${lowers:+:}$T/l/$i
done
mount_view "$lowers"
is "$(cat "$M/common/shared")" 1
is "$(cat "$M/from40")" 40
is "$(ls "$M/common" | wc -l)" 65
is "$(cat "$M/common/own64")" 64
echo new >"$M/common/own64"
rm "$M/common/shared"
mv "$M/common" "$M/moved"
unmount_view
mount_view "$lowers"
is "$(cat "$M/moved/own64" "$M/moved/own63" | tr '\n' ' ')" "new 63 "
gone "$M/moved/shared" "$M/common"
is "$(ls "$M/moved" | wc -l)" 64

#!/bin/sh
# An old upper serves as a lower, with its whiteouts, opaque directories and redirects.
. "$HERE/lib.sh"
mkdir -p "$L/d/sub" "$L/e"
echo 1 >"$L/d/a"
echo 1 >"$L/d/sub/s"
echo 1 >"$L/e/old"
echo 1 >"$L/gone"
mount_view
rm "$M/gone"
rm -r "$M/e"
mkdir "$M/e"
mv "$M/d" "$M/moved"
echo 2 >"$M/moved/a"
list "$M" >"$T/first"
unmount_view
mkdir "$T/u2" "$T/w2"
mount_view "$U:$L" "$T/u2" "$T/w2"
list "$M" >"$T/second"
diff "$T/first" "$T/second" || fail "the stacked view differs"
echo 3 >"$M/moved/sub/s"
mv "$M/moved" "$M/again"
rm "$M/again/a"
unmount_view
mount_view "$U:$L" "$T/u2" "$T/w2"
is "$(cat "$M/again/sub/s")" 3
gone "$M/again/a" "$M/moved" "$M/d" "$M/gone" "$M/e/old"

#!/bin/sh
# One upper, one mount: the second is refused and told who has it.
. "$HERE/lib.sh"
requires_osfuse
mkdir "$T/second"
mount_view
holder=$(daemon_pids | head -n 1)
fails 1 "^osfuse: .*$holder" "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$T/second"
! mounted "$T/second" || fail "mounted all the same"
touch "$M/works"
unmount_view
mount_view "$L" "$U" "$W" "$T/second"
[ -e "$T/second/works" ] || fail "changes are lost"

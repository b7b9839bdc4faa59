#!/bin/sh
# One upper and one work directory, one mount: the second is refused and told who has it.
. "$HERE/lib.sh"
requires_osfuse
mkdir "$T/second"
mount_view
holder=$(daemon_pids | head -n 1)
fails 1 "^osfuse: .*$holder" "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$T/second"
! mounted "$T/second" || fail "mounted all the same"
mkdir "$T/upper2"
fails 1 "^osfuse: .*$holder" "$OSFUSE" mount --lower "$L" --upper "$T/upper2" --work "$W" "$T/second"
touch "$M/works"
unmount_view
mount_view "$L" "$U" "$W" "$T/second"
[ -e "$T/second/works" ] || fail "changes are lost"
"$OSFUSE" umount "$T/second"
# what the work directory knows is of its own upper, and may show nowhere else
fails 1 "belongs to another upper" "$OSFUSE" mount --lower "$L" --upper "$T/upper2" --work "$W" "$T/second"

#!/bin/sh
# --squash-uid, --squash-gid: everything appears to belong to one; changing the owner changes nothing that shows.
. "$HERE/lib.sh"
requires_osfuse
requires_root
echo x >"$L/f"
chown 1234:2345 "$L/f"
before=$(sum "$L")
mount_view "$L" "$U" "$W" "$M" --squash-uid 77 --squash-gid 88
is "$(stat -c %u:%g "$M/f")" 77:88
is "$(stat -c %u:%g "$M")" 77:88
echo y >"$M/new"
is "$(stat -c %u:%g "$M/new")" 77:88 "a new file"
chown 5:6 "$M/f" "$M/new"
is "$(stat -c %u:%g "$M/f")" 77:88 "after chown"
chmod 600 "$M/f"
unmount_view
is "$(sum "$L")" "$before" "checksum of the lower"
mount_view "$L" "$U" "$W" "$M" -o squash_to_root
is "$(stat -c %u:%g "$M/f")" 0:0 "squash_to_root"
unmount_view
fails 2 'squash-uid' "$OSFUSE" mount --lower "$L" --squash-uid 1 --uidmap 0:1:1 "$M"
fails 2 'squash-uid' "$OSFUSE" mount --lower "$L" --squash-uid 4294967295 "$M"

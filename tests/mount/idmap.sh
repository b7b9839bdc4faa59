#!/bin/sh
# --uidmap, --gidmap: owners of the layers show mapped, those of new files and ACL entries are mapped back.
. "$HERE/lib.sh"
requires_osfuse
requires_root
requires_program setfacl getfacl setpriv
echo x >"$L/f"
chown 100005:200006 "$L/f"
setfacl -m u:100007:r "$L/f"
echo x >"$L/unknown"
chown 9:9 "$L/unknown"
chown 100000:200000 "$L" "$U"
chmod 777 "$U"
before=$(sum "$L")
mount_view "$L" "$U" "$W" "$M" --uidmap 100000:0:1000 --gidmap 200000:0:1000
is "$(stat -c %u:%g "$M/f")" 5:6
is "$(getfacl -pcn "$M/f" | grep ^user:7)" "user:7:r--"
is "$(stat -c %u:%g "$M/unknown")" 65534:65534 "an owner that is not mapped"
(cd "$M" && setpriv --reuid=11 --regid=12 --clear-groups touch new)
is "$(stat -c %u:%g "$M/new")" 11:12
is "$(stat -c %u:%g "$U/new")" 100011:200012 "in the upper"
chown 21:22 "$M/f"
is "$(stat -c %u:%g "$U/f")" 100021:200022 "changed"
setfacl -m u:8:rw "$M/f"
getfacl -pcn "$U/f" | grep -q "^user:100008:rw-" || fail "ACL in the upper: $(getfacl -pcn "$U/f")"
fails - 'too large|Invalid' chown 5000 "$M/f"
unmount_view
mount_view
is "$(stat -c %u:%g "$M/f")" 100021:200022 "without the map"
unmount_view
is "$(sum "$L")" "$before" "checksum of the lower"
# in the words of container engines
"$OSFUSE" mount -o "lowerdir=$L,uidmapping=100000:0:1000,gidmapping=200000:0:1000" "$M"
is "$(stat -c %u:%g "$M/f")" 5:6
unmount_view
fails 2 'uidmap' "$OSFUSE" mount --lower "$L" --uidmap 0:0:0 "$M"
fails 2 'uidmap' "$OSFUSE" mount --lower "$L" --uidmap 0:0:10,5:100:10 "$M"
fails 2 'uidmap' "$OSFUSE" mount --lower "$L" --uidmap 1:2 "$M"

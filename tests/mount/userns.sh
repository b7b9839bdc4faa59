#!/bin/sh
# Inside a user namespace osfuse mounts directly, without fusermount3.
. "$HERE/lib.sh"
requires_osfuse
[ -n "$AS_USER" ] || skip "for an ordinary user"
unshare -Urm true 2>/dev/null || skip "needs user namespaces"
echo x >"$L/f"
cat >"$T/inside" <<'SH'
#!/bin/sh
. "$HERE/lib.sh"
PATH=/nowhere "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$M"
is "$(cat "$M/f")" x
echo y >"$M/f"
mkdir "$M/d"
mv "$M/f" "$M/d/f"
is "$(stat -c %u "$M/d")" 0
umount "$M"
"$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" "$M"
is "$(cat "$M/d/f")" y
gone "$M/f"
umount "$M"
wait_for no_daemon
SH
chmod +x "$T/inside"
unshare -Urm "$T/inside"
is "$(cat "$L/f")" x
# the upper belongs to the user, who can use it outside of the namespace too
mount_view
is "$(cat "$M/d/f")" y
gone "$M/f"

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
# what belongs to nobody whom the namespace knows can be changed in the view all the same: /var/tmp is root's
mkdir "$T/u2" "$T/w2"
"$OSFUSE" mount --lower / --upper "$T/u2" --work "$T/w2" "$M"
echo new >"$M/var/tmp/osfuse-test"
mv "$M/var/tmp/osfuse-test" "$M/var/tmp/moved"
chmod 700 "$M/var/tmp/moved"
is "$(stat -c '%u %a' "$M/var/tmp/moved")" "0 700"
gone /var/tmp/osfuse-test /var/tmp/moved
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

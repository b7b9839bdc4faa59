#!/bin/sh
# Where a sandbox is asked for, its mount point does as well, and the beginning of its name.
. "$HERE/lib.sh"
requires_osfuse
echo x >"$L/x"
echo "hide /x" >"$T/policy"
mkdir "$T/other"

"$OSFUSE" mount --ephemeral --name trial --lower "$L" --policy "$T/policy" "$M"
gone "$M/x"
for name in trial "$M" "$M/" trial-; do
	"$OSFUSE" log "$name" | grep -q '/x .*ENOENT' || fail "log $name"
	"$OSFUSE" policy reload "$name" | grep -q reloaded || fail "reload $name"
	"$OSFUSE" policy explain --name "$name" /x | grep -q 'verdict: hide' || fail "explain $name"
done
(cd "$T" && "$OSFUSE" policy reload mnt >/dev/null) || fail "a relative mount point"
echo 'nonsense' >"$T/policy"
fails 1 'not reloaded' "$OSFUSE" policy reload "$M"
echo "hide /x" >"$T/policy"

# Without a sandbox there is one as long as the mount, whatever else it is made of.
for options in "--upper $U --work $W" --read-only; do
	echo "hide /x" >"$T/policy"
	# shellcheck disable=SC2086
	"$OSFUSE" mount --lower "$L" $options --policy "$T/policy" "$T/other"
	gone "$T/other/x"
	"$OSFUSE" log "$T/other" | grep -q '/x .*ENOENT' || fail "log without a sandbox, $options"
	echo "cow /x" >"$T/policy"
	"$OSFUSE" policy reload "$T/other" | grep -q reloaded || fail "reload without a sandbox, $options"
	is "$(cat "$T/other/x")" x
	"$OSFUSE" list | grep -q "$T/other" || fail "list without a sandbox, $options"
	echo "hide /x" >"$T/policy"
	"$OSFUSE" umount "$T/other"
	fails 1 'no sandbox' "$OSFUSE" log "$T/other"
done
XDG_STATE_HOME=/dev/null/none "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" --policy "$T/policy" "$T/other" 2>"$T/said"
grep -q 'refusals will not be recorded' "$T/said" || fail "nothing is said: $(cat "$T/said")"
gone "$T/other/x"
"$OSFUSE" umount "$T/other"
mount_view "$L" "$U" "$W" "$T/other" 2>"$T/said"
is "$("$OSFUSE" list | wc -l)" 2 "a view without a policy needs none"
unmount_view "$T/other"

# Its name comes first, then the mount point, then a beginning; and one that others share is none.
"$OSFUSE" mount --name tri --lower "$L" "$T/other"
fails 1 'several sandboxes begin so: tri, trial-' "$OSFUSE" log tr
fails 1 'several sandboxes begin so: tri, trial-' "$OSFUSE" umount tr
"$OSFUSE" log tri >"$T/out"
is "$(cat "$T/out")" "" "the log of tri"
"$OSFUSE" umount trial
mounted "$M" && fail "still mounted"
mounted "$T/other" || fail "the other one was unmounted"
"$OSFUSE" umount tr

# Where it was mounted last, it is found as long as there is no other.
"$OSFUSE" log "$T/other" >"$T/out"
"$OSFUSE" mount --name later --lower "$L" --hide /x "$T/other"
gone "$T/other/x"
"$OSFUSE" log "$T/other" | grep -q '/x .*ENOENT' || fail "log of the one that is mounted"
"$OSFUSE" umount later
fails 1 'no sandbox is mounted there' "$OSFUSE" log "$M"
fails 1 'no sandbox of that name' "$OSFUSE" log others
fails 1 'no sandbox of that name' "$OSFUSE" log ''

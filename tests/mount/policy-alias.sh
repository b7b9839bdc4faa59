#!/bin/sh
# A lower that finds names in any case does not lead round a rule. The lower here is a view that does; vfat and casefolded ext4 are the same.
. "$HERE/lib.sh"
requires_osfuse
mkdir -p "$T/low/d/secrets" "$T/ci"
echo k >"$T/low/d/secrets/key"
echo p >"$T/low/d/Public"
echo n >"$T/low/d/Ärger"
"$OSFUSE" mount --lower "$T/low" --read-only --case insensitive "$T/ci"
is "$(cat "$T/ci/D/SECRETS/KEY")" k "the lower finds it"

mount_view "$T/ci" "$U" "$W" "$M" --hide /d/secrets --hide /d/Ärger
is "$(cat "$M/d/Public")" p
for name in secrets SECRETS Secrets; do
	fails - 'No such file' cat "$M/d/$name/key"
done
fails - 'No such file' cat "$M/D/secrets/key"
fails - 'No such file' cat "$M/d/ärger"
fails - 'No such file' cat "$M/d/ÄRGER"
is "$(ls "$M/d")" Public
unmount_view
"$OSFUSE" umount "$T/ci"

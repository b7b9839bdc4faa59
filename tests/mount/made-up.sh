#!/bin/sh
# Files that the view makes up: with the content of files of the host, also of those that do not say how long they are.
. "$HERE/lib.sh"
requires_osfuse
head -c 1048576 /dev/zero >"$T/most"
printf 'file /version < /proc/version\nfile /most < %s\nfile /empty < /dev/null\n' "$T/most" >"$T/policy"
fails 1 '/dev/null: Invalid' "$OSFUSE" policy check "$T/policy"
: >"$T/empty"
sed -i "s|/dev/null|$T/empty|" "$T/policy"
mount_view "$L" "$U" "$W" "$M" --policy "$T/policy"
is "$(cat "$M/version")" "$(cat /proc/version)"
is "$(wc -c <"$M/most")" 1048576
is "$(wc -c <"$M/empty")" 0
unmount_view

# Longer than that, whatever they say.
echo x >>"$T/most"
fails 1 'policy:2:14: .*at most 1048576 bytes' "$OSFUSE" policy check "$T/policy"
if [ "$(head -c 1048577 /proc/kallsyms | wc -c)" -eq 1048577 ]; then
	echo 'file /symbols < /proc/kallsyms' >"$T/policy"
	fails 1 'policy:1:17: /proc/kallsyms: .*at most 1048576 bytes' "$OSFUSE" policy check "$T/policy"
fi
truncate -s 16777217 "$T/long"
fails 1 'long:1:1: longer than' "$OSFUSE" policy check "$T/long"

# Each takes descriptors.
for i in $(seq 1001); do
	echo "file /f$i \"$i\""
done >"$T/policy"
fails 1 'policy:1001:6: more than 1000 made-up files' "$OSFUSE" policy check "$T/policy"
sed -i 1001d "$T/policy"
# shellcheck disable=SC2016
fails 1 '1000 made-up files need more descriptors than the 2000' \
	within_limits sh -c 'ulimit -n 2000 && exec "$@"' sh "$OSFUSE" mount --lower "$L" --upper "$U" --work "$W" --policy "$T/policy" "$M"
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4096 ] || skip "needs 4096 descriptors"
mount_view "$L" "$U" "$W" "$M" --policy "$T/policy"
is "$(ls "$M" | wc -l)" 1000
is "$(cat "$M"/f* | wc -c)" 2893
is "$(cat "$M/f1000")" 1000
"$OSFUSE" policy reload "$M" >/dev/null
is "$(cat "$M/f999")" 999
unmount_view

# As private as what they stand in front of, also when they have been changed; and for all where there is nothing, or no file.
mkdir -p "$L/dir"
echo host >"$L/secret"
echo host >"$L/tool"
chmod 640 "$L/secret"
chmod 4755 "$L/tool"
owner=$(stat -c %u:%g "$L/secret")
if [ "$(id -u)" -eq 0 ]; then
	chown 7:42 "$L/secret"
	owner=7:42
fi
printf 'file /secret mode=0666 "made"\nfile /tool "made"\nfile /new "made"\nfile /dir mode=0600 "made"\n' >"$T/policy"
mount_view "$L" "$U" "$W" "$M" --policy "$T/policy"
is "$(stat -c %a:%u:%g "$M/secret")" "640:$owner"
case $(stat -c %a "$M/tool") in
755 | 644) ;; # without x: vm.memfd_noexec
*) fail "mode of tool: $(stat -c %a "$M/tool")" ;;
esac
is "$(stat -c %a "$M/new" "$M/dir" | tr '\n' ' ')" "644 600 "
echo more >>"$M/secret"
is "$(cat "$M/secret")" mademore
is "$(stat -c %a:%u:%g "$M/secret")" "640:$owner"
is "$(stat -c %a:%u:%g "$U/secret")" "640:$owner"
is "$(cat "$L/secret")" host
"$OSFUSE" policy reload "$M" >/dev/null
is "$(stat -c %a:%u:%g "$M/secret")" "640:$owner"
unmount_view

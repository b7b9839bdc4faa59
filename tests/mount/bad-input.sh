#!/bin/sh
# Every wrong command line has a message that names what is wrong, an exit status, and leaves no mount.
. "$HERE/lib.sh"
requires_osfuse
echo file >"$T/file"
bad() {
	want=$1 pattern=$2
	shift 2
	fails "$want" "$pattern" "$OSFUSE" "$@"
	grep -q '^osfuse: ' "$T/said" || fail "message without 'osfuse: ': $(cat "$T/said")"
	! mounted || fail "mounted all the same: $*"
}
layers() {
	printf '%s\n' --lower "${1:-$L}" --upper "${2:-$U}" --work "${3:-$W}"
}
bad 1 "$T/none.*no such" mount $(layers "$T/none") "$M"
bad 1 "$T/file.*not a directory" mount $(layers "$T/file") "$M"
bad 1 "$T/none.*no such" mount $(layers "$L" "$T/none") "$M"
bad 1 "$T/file.*not a directory" mount $(layers "$L" "$T/file") "$M"
bad 1 "$T/nomnt" mount $(layers) "$T/nomnt/deeper"
bad 1 "$T/file.*not a directory" mount $(layers) "$T/file"
mkdir -p "$U/lower" "$U/work"
bad 1 upper mount $(layers "$U/lower") "$M"
bad 1 'work|upper' mount $(layers "$L" "$U" "$U/work") "$M"
bad 1 "$U: the same directory as upper and as work" mount $(layers "$L" "$U" "$U") "$M"
rmdir "$U/lower" "$U/work"
bad 2 nonsense mount --nonsense "$M"
bad 2 nonsense nonsense
bad 2 "did you mean 'osfuse umount'" unmont
bad 2 "did you mean 'osfuse log'" lo
bad 2 'lists the commands' foo
bad 2 nonsense mount -o nonsense $(layers) "$M"
bad 2 . mount
bad 2 . mount $(layers) "$M" extra
bad 2 . mount --lower
bad 2 . umount
bad 1 "$M.*not" umount "$M"
bad 1 . umount "$T/none"
bad 1 'too long' mount $(layers) "/$(printf '%05000d' 0)"
bad 1 'too long' mount $(layers "$T/$(printf '%0256d' 0)") "$M"
bad 2 'upper.*empty' mount --lower "$L" --upper "" "$M"
bad 2 'work.*empty' mount --lower "$L" --upper "$U" --work "" "$M"
bad 2 'name.*empty' mount --lower "$L" --name "" "$M"
bad 2 'mountpoint.*empty' mount --lower "$L" ""
bad 2 'empty' umount ""
mkdir "$T/precious"
echo x >"$T/precious/file"
for name in work index; do
	ln -s "$T/precious" "$W/$name"
	bad 1 "$W.*$name.*not a directory" mount $(layers) "$M"
	rm "$W/$name"
done
[ -e "$T/precious/file" ] || fail "cleared what a link led to"
# What somebody has in a directory of that name is not ours to clear; what overlays leave behind is.
for name in work index; do
	for mode in 755 700; do
		mkdir -m $mode "$W/$name"
		mkdir "$W/$name/thesis"
		bad 1 "$W.*$name.*holds something else" mount $(layers) "$M"
		rmdir "$W/$name/thesis" || fail "cleared what was in $name"
		rmdir "$W/$name"
	done
done
mkdir "$W/work" "$W/work/#17"
bad 1 "$W.*work.*holds something else" mount $(layers) "$M"
chmod 700 "$W/work"
mount_view
unmount_view
gone "$W/work/#17"
# Too few descriptors at every point on the way: that is what is said, and nothing about /dev/fuse or a missing module.
for n in $(seq 8 17); do
	if (ulimit -n "$n" && exec "$OSFUSE" mount $(layers) "$M") >"$T/said" 2>&1; then
		unmount_view
		continue
	fi
	grep -qi 'too many open files' "$T/said" || fail "with $n descriptors: $(cat "$T/said")"
	! grep -q modprobe "$T/said" || fail "with $n descriptors: $(cat "$T/said")"
	! mounted || fail "mounted with $n descriptors"
done
fails 2 . "$OSFUSE"
"$OSFUSE" --version | grep -qE '[0-9]+\.[0-9]+' || fail "no version"
"$OSFUSE" --help | grep -q mount || fail "no help"
"$OSFUSE" mount --help | grep -q -- --lower || fail "no help for mount"
for command in mount umount list log policy 'policy check' 'policy explain' 'policy learn' 'policy reload'; do
	for option in --help -h; do
		fails 0 "usage: osfuse ${command%% *} " "$OSFUSE" $command $option
	done
done
fails 0 usage "$OSFUSE" policy explain --op read --help
echo 'ro /x' >"$T/--policy"
for command in --version --help 'mount --help' 'list --json' 'policy explain /' "policy check $T/--policy"; do
	fails 1 'standard output: No space' sh -c "'$OSFUSE' $command >/dev/full"
done
bad 2 nonsense policy check --nonsense
bad 2 nonsense policy reload --nonsense box
(cd "$T" && fails 0 'no errors' "$OSFUSE" policy check -- --policy)
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$T/other" "$T/ro"
	mount -t tmpfs none "$T/other"
	mkdir "$T/other/work"
	bad 1 'different file system|same file system|work' mount $(layers "$L" "$U" "$T/other/work") "$M"
	mount -t tmpfs none "$T/ro"
	mkdir "$T/ro/u" "$T/ro/w"
	mount -o remount,ro "$T/ro"
	bad 1 'read-only' mount $(layers "$L" "$T/ro/u" "$T/ro/w") "$M"
	mkdir "$T/empty"
	: >"$T/nofuse"
	unshare -m sh -c 'mount --bind "$1" /dev/fuse && shift && "$@"' sh "$T/nofuse" \
		"$OSFUSE" mount $(layers) "$M" >"$T/said" 2>&1 && fail "mounted without /dev/fuse"
	grep -q '/dev/fuse' "$T/said" || fail "without /dev/fuse: $(cat "$T/said")"
else
	mkdir -m 0 "$T/unreadable"
	bad 1 "$T/unreadable.*denied" mount $(layers "$T/unreadable") "$M"
	fails 1 fusermount3 env PATH="$T/nowhere" "$OSFUSE" mount $(layers) "$M"
fi
mount_view

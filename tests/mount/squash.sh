#!/bin/sh
# Everything seems to belong to one user. In the layers, everything goes on belonging to whom it belonged, or to who made it.
. "$HERE/lib.sh"
requires_osfuse
uid=$(id -u) gid=$(id -g)
as() {
	setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
}

fails 2 'with --uidmap' mount_view "$L" "$U" "$W" "$M" --squash-uid=0 --uidmap=0:0:1
fails 2 'not a numeric id' mount_view "$L" "$U" "$W" "$M" -o squash_to_uid=root

if [ -n "$AS_USER" ]; then
	# The machine's own files, as one's own.
	mount_view /etc "$U" "$W" "$M"
	is "$(stat -c %u:%g "$M/passwd")" 0:0
	fails - denied sh -c "echo x >>'$M/passwd'"
	unmount_view
	for how in --squash-uid="$uid --squash-gid=$gid" "-o squash_to_uid=$uid,squash_to_gid=$gid,userxattr"; do
		# shellcheck disable=SC2086
		mount_view /etc "$U" "$W" "$M" $how
		is "$(stat -c %u:%g "$M" "$M/passwd" "$M/profile.d" | sort -u)" "$uid:$gid"
		echo x >>"$M/passwd"
		chmod 600 "$M/group"
		chown "$uid:$gid" "$M/issue"
		mkdir -p "$M/profile.d/new"
		mv "$M/profile" "$M/profile2"
		mv "$M/profile2" "$M/profile"
		rm -f "$M/fstab"
		is "$(stat -c %u:%g "$M/passwd" "$M/group" "$M/profile.d" "$M/profile.d/new" "$M/profile" | sort -u)" "$uid:$gid"
		unmount_view
	done
	# Without it they are again whose they were, though the copies could not be given away.
	mount_view /etc "$U" "$W" "$M"
	is "$(stat -c %u:%g "$M/passwd" "$M/group" "$M/profile.d" "$M/profile" | sort -u)" 0:0
	is "$(stat -c %u:%g "$M/issue" "$M/profile.d/new" | sort -u)" "$uid:$gid"
	is "$(stat -c %u:%g "$U/passwd")" "$uid:$gid"
	unmount_view

	# To be root, and have root's files.
	unshare -Ur true 2>/dev/null || exit 0
	mount_view /etc "$U" "$W" "$M" --squash-uid="$uid" --squash-gid="$gid"
	unshare -Ur sh -c "
		set -eu
		[ \"\$(stat -c %u:%g '$M/shells')\" = 0:0 ]
		echo x >>'$M/shells'
		chown 0:0 '$M/shells'"
	exit
fi

echo x >"$L/roots"
echo x >"$L/secret"
chmod 600 "$L/secret"
echo x >"$L/others"
chown 1234:2345 "$L/others"
cp /bin/true "$L/prog"
chmod 4755 "$L/prog"
mkdir "$L/d"
printf '%s\n' 'file /made "x\n"' >"$T/policy"
mount_view "$L" "$U" "$W" "$M" --squash-uid 1000 --squash-gid 1000 --policy "$T/policy"
is "$(cat "$M/made")" x
is "$(stat -c %u:%g "$M" "$M/"* | sort -u)" 1000:1000
as sh -c "cd '$M' && cat secret others >/dev/null && echo y >>roots && echo y >>others && mkdir d/sub && echo z >d/sub/f && chmod 700 d"
is "$(setpriv --reuid 1001 --regid 1001 --clear-groups cat "$M/secret" 2>&1 | grep -c denied)" 1
echo z >"$M/d/roots"
mkfifo "$M/d/p"
python - "$M" <<'PY'
import ctypes, os, sys
os.chdir(sys.argv[1])
fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
assert os.fstat(fd).st_uid == 1000
os.chown("others", 77, -1)
os.chown("others", -1, 88)
os.chown("prog", 0, 0)
assert (os.stat("others").st_uid, os.stat("others").st_gid) == (1000, 1000)
assert os.stat("prog").st_mode & 0o7777 == 0o755
PY
is "$(stat -c %u:%g "$M" "$M/"* "$M/d/"* "$M/d/sub/"* | sort -u)" 1000:1000
# as everywhere else, only root gives things away
fails - 'not permitted' as chown 1001 "$M/d/roots"
as chown 1000:1000 "$M/d/roots"
unmount_view
mount_view "$L" "$U" "$W" "$M" -o squash_to_root,squash_to_gid=5
is "$(stat -c %u:%g "$M" "$M/"* "$M/d/"* | sort -u)" 0:5
unmount_view
mount_view "$L" "$U" "$W" "$M"
is "$(stat -c %u:%g "$M/roots" "$M/secret" "$M/d")" "0:0
0:0
0:0"
is "$(stat -c %u:%g "$M/others")" 77:88
is "$(stat -c %u:%g "$M/d/sub" "$M/d/sub/f" "$M/d/roots")" "1000:1000
1000:1000
1000:1000"
is "$(stat -c %u:%g "$M/d/p")" 0:0
is "$(stat -c %u:%g "$L/others")" 1234:2345

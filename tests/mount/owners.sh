#!/bin/sh
# Under a mount by root, another user's objects belong to that user, and permissions hold.
. "$HERE/lib.sh"
requires_root
mkdir -m 1777 "$L/shared"
mkdir -m 700 "$L/private"
echo secret >"$L/private/f"
echo readable >"$L/readable"
echo root >"$L/shared/roots"
mount_view "$L" "$U" "$W" "$M" -o allow_other
as() {
	setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
}
as mkdir "$M/shared/d"
as touch "$M/shared/f"
as ln -s x "$M/shared/l"
as mkfifo "$M/shared/p"
as python3 - "$M/shared" <<'PY'
import os, sys
dir_fd = os.open(sys.argv[1], os.O_RDONLY)
fd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)
os.link("/proc/self/fd/%d" % fd, "t", dst_dir_fd=dir_fd, follow_symlinks=True)
PY
for n in d f l p t; do
	is "$(stat -c %u:%g "$M/shared/$n")" 1000:1000 "owner of $n"
done
is "$(as cat "$M/readable")" readable
fails - 'denied' as cat "$M/private/f"
fails - 'denied' as sh -c "echo x >>'$M/readable'"
fails - 'not permitted' as rm -f "$M/shared/roots"
fails - 'not permitted' as chmod 777 "$M/readable"
as mv "$M/shared/f" "$M/shared/g"
# set-id bits go when somebody unprivileged writes
as cp /bin/true "$M/shared/prog"
as chmod 4755 "$M/shared/prog"
as sh -c "echo >>'$M/shared/prog'"
is "$(stat -c %a "$M/shared/prog")" 755 "set-id bit after a write"

#!/bin/sh
# The inner half of "run": inside the namespaces, as root. Gives an ordinary user a /dev/fuse that it may open, then runs the case.
set -eu

case=$1
shift
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONDONTWRITEBYTECODE=1 PATH LC_ALL=C.UTF-8 HOME="$T/home" TMPDIR="$T/tmp" XDG_STATE_HOME="$T/state"
mkdir -p "$HOME" "$TMPDIR" "$XDG_STATE_HOME"
chmod 755 "$T"
case $case in
*/*) ;;
*) case=$HERE/$case ;;
esac
case $case in
*.py) set -- "$case" "$@" && case=/usr/bin/python3 ;;
esac

if [ -z "$AS_USER" ]; then
	cd "$T"
	exec "$case" "$@"
fi

# fusermount3 wants to know the user's name
uid=$(getent passwd 1000 >/dev/null && echo 1000 || id -u nobody)
gid=$(id -g "$(getent passwd "$uid" | cut -d: -f1)")
node=$T/.fuse
mknod -m 0666 "$node" c 10 229
mount --bind "$node" /dev/fuse
chown -R "$uid:$gid" "$T"
cd "$T"
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$case" "$@"

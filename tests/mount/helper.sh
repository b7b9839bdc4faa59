#!/bin/sh
# As mount(8)'s helper: the option names of overlayfs, the source verbatim, the mount flags in /proc/mounts.
. "$HERE/lib.sh"
requires_osfuse
requires_root
requires_overlayfs
# mount(8) finds the helper in /sbin: put there in this case's own name space
mkdir "$T/sbin"
ln -s "$OSFUSE" "$T/sbin/mount.fuse.osfuse"
mount -t overlay none -o "lowerdir=$T/sbin:/usr/sbin" /usr/sbin
echo x >"$L/f"
line() {
	grep " $M " /proc/self/mounts
}
check() {
	is "$(cat "$M/f")" x
	umount "$M"
	wait_for no_daemon
}
"$OSFUSE" "some source" "$M" -o "rw,lowerdir=$L,upperdir=$U,workdir=$W,dev,suid"
line | grep -q '^some\\040source ' || fail "source: $(line)"
line | grep -q ' fuse.osfuse rw,' || fail "type and options: $(line)"
! line | grep -qE 'nosuid|nodev' || fail "dev and suid are not honoured: $(line)"
check
"$OSFUSE" src "$M" -o "rw,noatime,nodev,nosuid,noexec,allow_other,default_permissions,lowerdir=$L,upperdir=$U,workdir=$W"
for option in noatime nodev nosuid noexec allow_other default_permissions; do
	line | grep -qw "$option" || fail "$option: $(line)"
done
check
"$OSFUSE" src "$M" -o "ro,relatime,lowerdir=$L,upperdir=$U,workdir=$W"
line | grep -q ' ro,' || fail "not read-only: $(line)"
fails - 'read-only' touch "$M/new"
check
"$OSFUSE" src "$M" -o "lowerdir=$L"
fails - 'read-only' touch "$M/new"
fails - 'no upper' mount -o remount,rw "$M"
line | grep -q ' ro,' || fail "no longer read-only: $(line)"
check
"$OSFUSE" src "$M" -o "fsname=named,subtype=osfuse,lazytime,lowerdir=$L,upperdir=$U,workdir=$W"
line | grep -q '^named ' || fail "fsname: $(line)"
mount -o remount,ro "$M"
fails - 'read-only' touch "$M/new"
mount -o remount,rw "$M"
touch "$M/new"
check
mount -t fuse.osfuse "the source" "$M" -o "lowerdir=$L,upperdir=$U,workdir=$W"
line | grep -q '^the\\040source ' || fail "through mount(8): $(line)"
is "$(stat -c %s "$M/new")" 0
check
for _ in 1 2 3 4 5; do
	"$OSFUSE" src "$M" -o "lowerdir=$L,upperdir=$U,workdir=$W"
	umount "$M"
done
fails 2 'unknown|option' "$OSFUSE" src "$M" -o "lowerdir=$L,upperdir=$U,workdir=$W,nonsense=1"

#!/bin/sh
# Ids of the layers are others in the view, and back.
. "$HERE/lib.sh"
requires_osfuse
uid=$(id -u) gid=$(id -g)

fails 2 'mapped twice' mount_view "$L" "$U" "$W" "$M" --uidmap=0:0:10,5:20:1
fails 2 'to one in the view' mount_view "$L" "$U" "$W" "$M" --gidmap=0:0:10,20:5:1
fails 2 'no ids' mount_view "$L" "$U" "$W" "$M" --gidmap=0:0:0
fails 2 'end at' mount_view "$L" "$U" "$W" "$M" -o uidmapping=1:0:4294967295
fails 2 'is not LAYER' mount_view "$L" "$U" "$W" "$M" -o uidmapping=1:0

if [ -n "$AS_USER" ]; then
	# Own files are one's own. Root is not in the view: what is his can be read, as its mode says, and not changed.
	echo x >"$L/own"
	mount_view "/etc:$L" "$U" "$W" "$M" --uidmap="$uid:$uid:1" --gidmap="$gid:$gid:1"
	is "$(stat -c %u:%g "$M/own" "$M/passwd")" "$uid:$gid
65534:65534"
	cat "$M/passwd" >"$T/copy"
	echo y >>"$M/own"
	mkdir "$M/new"
	is "$(stat -c %u:%g "$M/new")" "$uid:$gid"
	fails - 'denied' sh -c "echo x >>'$M/passwd'"
	fails - . chmod 600 "$M/passwd"
	fails - . chown 1234 "$M/own"
	unmount_view
	# Who is another in the view can make nothing.
	mkdir "$T/upper2" "$T/work2" "$T/upper3" "$T/work3"
	mount_view "$L" "$T/upper2" "$T/work2" "$M" --uidmap="$uid:4242:1"
	is "$(stat -c %u "$M/own")" 4242
	fails - . touch "$M/x"
	unmount_view
	# In a user namespace the ids are those of the namespace.
	unshare -Urm true 2>/dev/null || exit 0
	cat >"$T/inside" <<'SH'
#!/bin/sh
. "$HERE/lib.sh"
"$OSFUSE" mount --lower "$L" --upper "$T/upper3" --work "$T/work3" --uidmap 0:0:1 --gidmap 0:0:1 "$M"
is "$(stat -c %u:%g "$M/own")" 0:0
echo z >>"$M/own"
mkdir "$M/d"
is "$(stat -c %u:%g "$M/d")" 0:0
umount "$M"
wait_for no_daemon
SH
	chmod +x "$T/inside"
	unshare -Urm "$T/inside"
	is "$(stat -c %u:%g "$T/upper3/own" "$T/upper3/d")" "$uid:$gid
$uid:$gid"
	exit
fi

# as ID COMMAND…: as whoever has that id in the view
as() {
	id=$1
	shift
	setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
}

# inside DIR: what the root of a user namespace that has 100000 and up as 0 and up does there
inside() {
	python - "$1" <<'PY'
import ctypes, os, sys
os.chdir(sys.argv[1])
go, gone = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):  # CLONE_NEWUSER
        os._exit(77)
    os.write(gone[1], b"x")
    os.read(go[0], 1)
    os.setgroups([])
    os.setgid(0)
    os.setuid(0)
    def owner(path):
        return os.stat(path).st_uid, os.stat(path).st_gid
    ok = owner(".") == (0, 0) and owner("f1") == (1, 1) and owner("unknown") == (65534, 65534)
    with open("d/new", "w"):
        pass
    ok &= owner("d/new") == (0, 0)
    os.chown("d/new", 2, 3)
    ok &= owner("d/new") == (2, 3)
    os.chmod("f1", 0o644)
    try:
        os.chmod("unknown", 0o666)
        ok = False
    except OSError:
        pass
    os._exit(0 if ok else 1)
os.close(gone[1])
if os.read(gone[0], 1):
    for kind in "uid", "gid":
        with open("/proc/%d/%s_map" % (pid, kind), "w") as f:
            f.write("0 100000 65536")
    os.write(go[1], b"x")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert status in (0, 77), status
PY
}

# What an image for containers has, shown to a container that is 100000 and up.
for i in 0 1 7; do
	echo "$i" >"$L/f$i"
	chown $i:$i "$L/f$i"
done
echo secret >"$L/f7"
chmod 640 "$L/f7"
mkdir "$L/d" "$L/shared"
echo x >"$L/d/gone"
chmod 1777 "$L/shared"
echo x >"$L/unknown"
chown 3000000:3000000 "$L/unknown"
chmod 600 "$L/unknown"
echo x >"$L/readable"
chown 3000000:3000000 "$L/readable"
map=0:100000:5:7:100007:65528
for how in "-o uidmapping=$map,gidmapping=$map" "--uidmap=0:100000:5,7:100007:65528 --gidmap=0:100000:5,7:100007:65528" \
	"-o userxattr,uidmapping=$map,gidmapping=$map"; do
	rm -rf "$U" "$W"
	mkdir "$U" "$W"
	# shellcheck disable=SC2086
	mount_view "$L" "$U" "$W" "$M" $how
	is "$(stat -c %u:%g "$M" "$M/f0" "$M/f1" "$M/f7" "$M/unknown")" "100000:100000
100000:100000
100001:100001
100007:100007
65534:65534"

	is "$(as 100007 cat "$M/f7")" "secret"
	fails - denied as 7 cat "$M/f7"
	as 100001 sh -c "echo y >>'$M/f1' && mkdir '$M/shared/d' && ln -s x '$M/shared/l' && mkfifo '$M/shared/p' && echo >'$M/shared/f'"
	as 100000 rm "$M/d/gone"
	as 100000 mkdir "$M/d/gone"
	is "$(stat -c %u:%g "$M/f1" "$M/shared/"* | sort -u)" 100001:100001
	is "$(stat -c %u:%g "$U/f1" "$U/shared/"* | sort -u)" 1:1
	is "$(stat -c %u:%g "$U/d/gone")" 0:0

	# who is not on the map makes nothing, and is given nothing; root of the host is not
	fails - 'too large' touch "$M/d/x"
	fails - 'too large' mkdir "$M/d/x"
	fails - 'too large' as 5 touch "$M/shared/x"
	fails - 'too large' chown 5 "$M/f0"
	fails - 'too large' chown :100005 "$M/f0"
	gone "$U/f0" "$U/d/x"
	chown 100004:100003 "$M/f0"
	is "$(stat -c %u:%g "$M/f0")" 100004:100003
	is "$(stat -c %u:%g "$U/f0")" 4:3
	# what belongs to nobody in the view is not of him who has the overflow id
	fails - denied as 65534 cat "$M/unknown"
	fails - . as 65534 chmod 666 "$M/unknown"
	fails - . sh -c "echo x >>'$M/unknown'"
	fails - . chmod 666 "$M/unknown"
	fails - denied cat "$M/unknown"
	fails - 'too large' rm -f "$M/unknown"
	gone "$U/unknown"
	cmp "$M/readable" "$L/readable"
	# a copy is whose it was
	as 100007 sh -c "echo y >>'$M/f7'"
	is "$(stat -c '%u:%g %a' "$U/f7")" '7:7 640'

	# the container itself
	inside "$M"
	is "$(stat -c %u:%g "$U/d/new")" 2:3
	unmount_view
	# shellcheck disable=SC2086
	mount_view "$L" "$U" "$W" "$M" $how
	is "$(stat -c %u:%g "$M/f0" "$M/f1" "$M/f7" "$M/shared/d")" "100004:100003
100001:100001
100007:100007
100001:100001"
	unmount_view
done
mount_view
is "$(stat -c %u:%g "$M/f0" "$M/f1" "$M/f7" "$M/shared/d" "$M/unknown")" "4:3
1:1
7:7
1:1
3000000:3000000"
unmount_view

# ids in ACLs
if command -v setfacl >/dev/null && setfacl -m u:1:rw,u:6:rw,g:7:r "$L/d" 2>/dev/null; then
	setfacl -d -m u:1:rwx,g:7:rx "$L/d"
	echo x >"$L/acl"
	chmod 600 "$L/acl"
	setfacl -m u:1:r,u:6:r,g:7:rw "$L/acl"
	rm -rf "$U" "$W"
	mkdir "$U" "$W"
	mount_view "$L" "$U" "$W" "$M" -o "uidmapping=$map,gidmapping=$map"
	is "$(getfacl -ncp "$M/acl" | grep -c ':')" 6 # without user 6
	getfacl -ncp "$M/acl" | grep -qx user:100001:r-- || fail "user is not mapped"
	getfacl -ncp "$M/acl" | grep -qx group:100007:rw- || fail "group is not mapped"
	is "$(as 100001 cat "$M/acl")" x
	fails - denied as 1 cat "$M/acl"
	fails - denied as 6 cat "$M/acl"
	fails - denied as 100002 cat "$M/acl"
	as 100007 sh -c "echo y >>'$M/acl'"
	getfacl -ncp "$U/acl" | grep -qx user:6:r-- || fail "the copy has lost an entry"
	as 100000 touch "$M/d/new"
	getfacl -ncp "$U/d/new" | grep -q user:1:rw || fail "no default ACL was inherited"
	getfacl -ncp "$M/d/new" | grep -q user:100001:rw || fail "inherited, but not mapped"
	setfacl -m u:100003:r "$M/f1"
	getfacl -ncp "$U/f1" | grep -qx user:3:r-- || fail "not mapped back"
	fails - invalid setfacl -m u:5:r "$M/f1"
	fails - invalid setfacl -m u:100006:r "$M/f1"
	unmount_view
fi

# ids in capabilities
if command -v setcap >/dev/null && cp /bin/true "$L/ping" && setcap cap_net_raw+ep "$L/ping" 2>/dev/null; then
	mount_view "$L" "$U" "$W" "$M" -o "uidmapping=$map,gidmapping=$map"
	is "$(getcap -n "$M/ping" | grep -c 'rootid=100000')" 1 "whose capabilities"
	fails - . setcap cap_net_raw+ep "$M/ping"
	setcap -n 100001 cap_net_raw+ep "$M/ping"
	is "$(getcap -n "$U/ping" | grep -c 'rootid=1]')" 1 "not mapped back"
	unmount_view
fi

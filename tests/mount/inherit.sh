#!/bin/sh
# New objects: set-group-id directories, default ACLs, the umask, the caller's ids.
. "$HERE/lib.sh"
requires_program setfacl getfacl
mkdir "$L/setgid" "$L/acl" "$L/plain"
chgrp 1000 "$L/setgid" 2>/dev/null || chgrp "$(id -g)" "$L/setgid"
chmod 2775 "$L/setgid"
setfacl -d -m u:1000:rwx,g::rx,o::- "$L/acl"
gid=$(stat -c %g "$L/setgid")
mount_view
umask 027
mkdir "$M/setgid/d" "$M/acl/d" "$M/plain/d"
touch "$M/setgid/f" "$M/acl/f" "$M/plain/f"
mkfifo "$M/setgid/p" "$M/plain/p" "$M/acl/p"
is "$(stat -c '%a %g' "$M/setgid/d")" "2750 $gid" "directory in a set-group-id directory"
is "$(stat -c '%a %g' "$M/setgid/f")" "640 $gid" "file in a set-group-id directory"
is "$(stat -c '%a %g' "$M/setgid/p")" "640 $gid" "fifo in a set-group-id directory"
is "$(stat -c %a "$M/plain/d" "$M/plain/f" "$M/plain/p" | tr '\n' ' ')" "750 640 640 " "modes under umask 027"
(umask 0 && mkfifo -m 666 "$M/plain/q" && is "$(stat -c %a "$M/plain/q")" 666)
# the same on the bare file system is the measure for ACLs
mkdir "$T/bare"
setfacl -d -m u:1000:rwx,g::rx,o::- "$T/bare"
mkdir "$T/bare/d"
touch "$T/bare/f"
mkfifo "$T/bare/p"
for n in d f p; do
	is "$(getfacl -cnp "$M/acl/$n")" "$(getfacl -cnp "$T/bare/$n")" "inherited ACL of $n"
done

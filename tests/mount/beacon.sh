#!/bin/sh
# Whose word is taken for it that a mount is a view: root's, one's own, and that of whom the mount belongs to. What other users show
# neither hides a mount from root's views nor makes it theirs, and to look at it does no harm.
. "$HERE/lib.sh"
requires_osfuse
requires_root
requires_program setpriv
D=$T/low
mkdir -p "$D/other" "$D/hole" "$D/theirs"
chmod 755 "$T" "$D"

# A file system with one file, called what is asked for. Its first open is answered, the others never.
cat >"$T/serve.py" <<'PY'
import os, struct, subprocess, sys
where, name, owner = sys.argv[1], sys.argv[2].encode(), sys.argv[3]
dev = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={dev},rootmode=40000,user_id={owner},group_id={owner},allow_other"
subprocess.run(["mount", "-i", "-t", "fuse.other", "-o", options, "other", where], pass_fds=[dev], check=True)

def attr(node):
    return struct.pack("<6Q10I", node, 1, 1, 0, 0, 0, 0, 0, 0, 0o40755 if node == 1 else 0o100644, 1, 0, 0, 0, 4096, 0)

n_opens = 0
while True:
    try:
        request = os.read(dev, 1 << 20)
    except OSError:
        break
    _, op, unique, node = struct.unpack_from("<IIQQ", request)
    body, error, out = request[40:], 0, b""
    if op == 26:  # INIT
        out = struct.pack("<IIIIHHIIHHI", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0).ljust(64, b"\0")
    elif op == 1 and body.rstrip(b"\0") == name:  # LOOKUP
        out = struct.pack("<4QII", 2, 1, 9, 9, 0, 0) + attr(2)
    elif op == 1:
        error = -2
    elif op == 3:  # GETATTR
        out = struct.pack("<QII", 9, 0, 0) + attr(node)
    elif op == 28 and struct.unpack_from("<Q", body, 8)[0] == 0:  # READDIR
        out = (struct.pack("<QQII", 2, 1, len(name), 8) + name).ljust((24 + len(name) + 7) & ~7, b"\0")
    elif op in (14, 27):  # OPEN, OPENDIR
        n_opens += op == 14
        out = bytes(16)
    elif op not in (18, 25, 28, 29):  # RELEASE, FLUSH, RELEASEDIR
        error = -38
    if op in (2, 36, 42) or (op == 14 and n_opens > 1):  # FORGET, INTERRUPT, BATCH_FORGET
        continue
    try:
        os.write(dev, struct.pack("<IiQ", 16 + len(out), error, unique) + out)
    except OSError:
        pass
PY

# What a daemon shows: a memory file of that name. Of a process that is not dumpable, /proc says that it is root's.
cat >"$T/show.py" <<'PY'
import ctypes, os, sys, time
where, mode = sys.argv[1:]
ctypes.CDLL(None).prctl(4, 0)
fd = os.memfd_create("osfuse-mount")
while True:
    with open("/proc/self/mountinfo") as f:
        dev = [line.split()[2] for line in f if line.split()[4] == where]
    if dev:
        break
    time.sleep(0.02)
os.write(fd, f"{dev[-1]} {mode} {where}".encode())
print("shown", flush=True)
time.sleep(1000)
PY

# show UID MOUNT-POINT MODE: as that user, once there is such a mount; the process is $shown
show() {
	: >"$T/shown"
	setpriv --reuid "$1" --regid "$1" --clear-groups "$PYTHON" "$T/show.py" "$2" "$3" >"$T/shown" &
	shown=$!
}

shown() {
	wait_for grep -q shown "$T/shown"
}

unshown() {
	kill "$shown"
	wait "$shown" 2>/dev/null || true
}

"$PYTHON" "$T/serve.py" "$D/other" file 0 &
wait_for mounted "$D/other"
is "$(timeout -s KILL 20 ls "$D/other")" file

# Another user's word.
show 1000 "$D/other" rw
shown
fails 1 "not an osfuse mount" "$OSFUSE" umount "$D/other"
fails 1 "not an osfuse mount" "$OSFUSE" "$D/other" -o remount,noexec
mount_view "$D" "$U" "$W" "$M"
is "$(timeout -s KILL 20 ls "$M/other")" file "root's mount in root's view"
unmount_view
unshown

# A view of root's that has no upper is not to become writable by it, nor its end to be waited for in another process.
show 1000 "$M" rw # before the daemon is there: it is found first
"$OSFUSE" mount --lower "$D" --read-only --name look "$M"
shown
fails 1 "has no upper" "$OSFUSE" "$M" -o remount,rw
timeout -s KILL 8 "$OSFUSE" umount "$M" || fail "umount waits for somebody else: $?"
unshown

# Whom a mount belongs to may say what it is: a view of his under another type is one.
"$PYTHON" "$T/serve.py" "$D/theirs" file 1000 &
wait_for mounted "$D/theirs"
show 1001 "$D/theirs" rw
shown
fails 1 "not an osfuse mount" "$OSFUSE" "$D/theirs" -o remount,noexec
unshown
show 1000 "$D/theirs" rw
shown
mount_view "$D" "$U" "$W" "$M"
is "$(timeout -s KILL 20 ls "$M/theirs")" "" "a view in a view"
unmount_view
unshown
umount "$D/theirs"

# A file that looks like a beacon, on a file system that never lets it be opened again: nobody may hang in it.
"$PYTHON" "$T/serve.py" "$D/hole" "memfd:osfuse-mount (deleted)" 1000 &
wait_for mounted "$D/hole"
exec 9<"$D/hole/memfd:osfuse-mount (deleted)"
umount -l "$D/hole"
is "$(readlink /proc/$$/fd/9)" "/memfd:osfuse-mount (deleted)"
fails 1 "not an osfuse mount" timeout -s KILL 20 "$OSFUSE" umount "$D/other"
exec 9<&-

# Processes with descriptors as many as they may have, of somebody whose word does not count: they are not looked through.
cat >"$T/many.py" <<'PY'
import os, resource, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
for i in range(min(most, 100000) - 20):
    os.dup(0)
for i in range(min(60, 1000000 // most + 10)):
    if os.fork() == 0:
        time.sleep(1000)
print("shown", flush=True)
time.sleep(1000)
PY
: >"$T/shown"
setpriv --reuid 1000 --regid 1000 --clear-groups "$PYTHON" "$T/many.py" >"$T/shown" &
shown
fails 1 "not an osfuse mount" timeout -s KILL 5 "$OSFUSE" umount "$D/other"
umount "$D/other"

#!/bin/sh
# Renames, removals and opens of the same few names by several processes: every answer is one that a plain file system can give.
. "$HERE/lib.sh"
for d in a b c a/x b/x c/x; do
	mkdir -p "$L/$d"
	for f in 1 2 3; do
		echo "$d/$f" >"$L/$d/$f"
	done
done
mount_view
python - "$M" <<'PY'
import errno, os, random, sys
ALLOWED = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EPERM}
os.chdir(sys.argv[1])

def work(seed):
    rng, wrong = random.Random(seed), {}
    def path():
        return rng.choice("abc") + rng.choice(["", "/x", "/x"]) + rng.choice(["", "/1", "/2", "/3"])
    def read():
        with open(path()) as f:
            os.fstat(f.fileno())
            os.fchmod(f.fileno(), rng.choice([0o600, 0o644]))
            f.read()
    def write():
        with open(path(), rng.choice("aw")) as f:
            f.write("x")
    actions = [read, read, write, lambda: os.stat(path()), lambda: os.listdir(path()), lambda: os.rename(path(), path()),
               lambda: os.rename(path(), path()), lambda: os.unlink(path()), lambda: os.mkdir(path()), lambda: os.rmdir(path()),
               lambda: os.link(path(), path()), lambda: os.chmod(path(), 0o755), lambda: os.listxattr(path())]
    for _ in range(4000):
        try:
            rng.choice(actions)()
        except OSError as e:
            if e.errno not in ALLOWED:
                wrong[errno.errorcode[e.errno]] = wrong.get(errno.errorcode[e.errno], 0) + 1
    if wrong:
        print(wrong)
    return 1 if wrong else 0

children = []
for seed in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(work(seed))
    children.append(pid)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in children))
PY

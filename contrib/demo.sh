#!/bin/sh
# Shows osfuse at work, on this machine and without changing it: builds, mounts a view of the whole system on /sandbox, lets
# unmodified Python write all over it, looks that nothing happened outside, compares speeds, cleans up.
# Needs sudo only to install packages and to make /sandbox. Can be run again and again.
set -eu
cd "$(dirname "$0")/.."

mnt=/sandbox
python=/usr/bin/python3
state="" made_mnt=""

say() {
	printf '\n== %s\n' "$*"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

clean_up() {
	if grep -q " $mnt " /proc/self/mounts; then
		"$osfuse" umount "$mnt" || true
	fi
	[ -z "$state" ] || rm -rf "$state"
	[ -z "$made_mnt" ] || as_root rmdir "$mnt" || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "1. What is needed: packages, and the program"
contrib/install-deps.sh build demo </dev/null
[ -f build/build.ninja ] || meson setup build >/dev/null
ninja -C build fuse/osfuse | tail -n 1
osfuse=$PWD/build/fuse/osfuse
"$osfuse" --version

say "2. Mount: osfuse mount $mnt"
if [ ! -d "$mnt" ]; then
	as_root mkdir "$mnt"
	as_root chown "$(id -u):$(id -g)" "$mnt"
	made_mnt=yes
fi
# a store of the demonstration's own, so that a sandbox of yours is left alone
state=$(mktemp -d /var/tmp/osfuse-demo.XXXXXX)
export XDG_STATE_HOME="$state"

fingerprint() {
	{ find /etc /usr/bin /usr/share/doc -xdev -printf '%p %y %s %m %U %G %T@ %C@\n' 2>/dev/null || true; } |
		sort | sha256sum | cut -d' ' -f1
}
before=$(fingerprint)
"$osfuse" mount "$mnt"
grep " $mnt " /proc/self/mounts
ls -C "$mnt"

# Where work is done: exists in the view only. Root enters the view with chroot; others use it by path.
work=/var/tmp/osfuse-demo-work
mkdir "$mnt$work"
if [ "$(id -u)" -eq 0 ]; then
	root=""
	inside() { chroot "$mnt" "$@"; }
else
	root=$mnt
	inside() {
		program=$1
		shift
		PYTHONHOME=$mnt/usr "$mnt$program" "$@"
	}
fi

say "3. Unmodified Python in it"
cat >"$mnt$work/demo.py" <<'PY'
import asyncio, ctypes, csv, email, hashlib, http.client, json, os, pathlib, shutil, sqlite3, ssl, subprocess, sys, tempfile, venv

root, work = sys.argv[1], pathlib.Path(sys.argv[2])
print("python %s from %s; json from %s" % (sys.version.split()[0], sys.executable, json.__file__))

for i in range(1000):
    (work / ("file-%d.json" % i)).write_text(json.dumps({"n": i}))
print("files written and read:", sum(json.loads(p.read_text())["n"] for p in work.glob("file-*.json")) == 499500)

with sqlite3.connect(work / "demo.db") as db:
    db.execute("create table t (n integer)")
    db.executemany("insert into t values (?)", ((i,) for i in range(10000)))
print("sqlite:", sqlite3.connect(work / "demo.db").execute("select count(*), sum(n) from t").fetchone())

venv.create(work / "venv", with_pip=False, symlinks=True)
out = subprocess.run([work / "venv/bin/python", "-c", "import sys; print(sys.prefix)"], stdout=subprocess.PIPE, check=True, text=True)
print("venv:", out.stdout.strip())

with tempfile.TemporaryDirectory(dir=work) as tmp:
    shutil.copytree(root + "/usr/lib/python3", tmp + "/copy", symlinks=True)
    print("copied a library tree:", sum(len(f) for _, _, f in os.walk(tmp)), "files")

victims = [p for p in (root + "/etc/hostname", root + "/etc/passwd") if os.access(p, os.W_OK)]
for p in victims:
    with open(p, "a") as f:
        f.write("vandalised\n")
if os.getuid() == 0:
    shutil.rmtree(root + "/usr/share/doc", ignore_errors=True)
    print("vandalised:", victims, "- and removed /usr/share/doc")
PY
inside $python "$root$work/demo.py" "$root" "$root$work"

say "4. Inside everything is changed, outside nothing is"
show() {
	printf '%-34s inside: %-9s outside: %s\n' "$1" "$([ -e "$mnt$1" ] && echo "is there" || echo "is not")" \
		"$([ -e "$1" ] && echo "is there" || echo "is not")"
}
show $work/demo.db
show $work/venv/bin/python
[ "$(id -u)" -ne 0 ] || show /usr/share/doc
[ ! -e $work ] || { echo "the host has $work" && exit 1; }
if [ "$(fingerprint)" = "$before" ]; then
	echo "names, sizes, modes, owners and times of all in /etc, /usr/bin and /usr/share/doc: unchanged"
else
	echo "the host has changed" && exit 1
fi

say "5. Speed beside the bare file system (interleaved rounds, medians; the view's first round, with cold caches, apart)"
$python - "$mnt" <<'PY'
import os, statistics, sys, time

def scan(top):
    n, todo = 0, [top]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for e in entries:
                n += 1
                if e.is_dir(follow_symlinks=False):
                    todo.append(e.path)
    return n

def stat(paths):
    for p in paths:
        os.lstat(p)
    return len(paths)

def per_item(f, *args):
    start = time.perf_counter()
    n = f(*args)
    return (time.perf_counter() - start) / n * 1e6

base = os.path.dirname(os.__file__)
paths = [os.path.join(d, f) for d, _, files in os.walk(base) for f in files][:3000]
views = [sys.argv[1] + p for p in paths]
print("%-28s %10s %10s %7s %12s" % ("microseconds an entry", "bare", "view", "ratio", "first round"))
for name, bare, view in (("scandir of " + base, (scan, base), (scan, sys.argv[1] + base)), ("stat of %d files" % len(paths), (stat, paths), (stat, views))):
    first = per_item(*view)
    rounds = [(per_item(*bare), per_item(*view)) for _ in range(9)]
    a, b = (statistics.median(r) for r in zip(*rounds))
    print("%-28s %10.2f %10.2f %6.2fx %12.2f" % (name, a, b, b / a, first))
PY

say "6. Unmount: osfuse umount $mnt"
"$osfuse" umount "$mnt"
echo "done"

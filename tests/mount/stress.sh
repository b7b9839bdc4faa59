#!/bin/sh
# Four processes create, rename, link, read and remove in the same directories: nothing is lost, doubled or refused strangely.
. "$HERE/lib.sh"
mkdir "$L/d" "$L/e"
for i in $(seq 40); do
	echo "$i" >"$L/d/low$i"
done
cat >"$T/worker.py" <<'PY'
import errno, os, random, sys
os.chdir(sys.argv[1])
me = sys.argv[2]
rng = random.Random(me)
ALLOWED = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR}
mine = set()
for n in range(1500):
    shared = "%s/shared%d" % (rng.choice("de"), rng.randrange(8))
    low = "d/low%d" % rng.randrange(1, 41)
    try:
        what = rng.randrange(9)
        if what == 0:
            name = "e/%s-%d" % (me, n)
            with open(name, "x") as f:
                f.write(me)
            mine.add(name)
        elif what == 1 and mine:
            old = rng.choice(sorted(mine))
            new = "%s/%s-%d" % (rng.choice("de"), me, n)
            os.rename(old, new)
            mine.remove(old)
            mine.add(new)
        elif what == 2:
            with open(low, "a") as f:
                f.write("+")
        elif what == 3:
            os.rename(shared, "%s/shared%d" % (rng.choice("de"), rng.randrange(8)))
        elif what == 4:
            with open(shared, "w") as f:
                f.write("x" * 100)
        elif what == 5:
            os.unlink(shared)
        elif what == 6:
            names = os.listdir(rng.choice("de"))
            assert len(names) == len(set(names)), "listed twice"
        elif what == 7:
            os.link(low, shared)
        else:
            os.stat(low)
    except OSError as e:
        if e.errno not in ALLOWED:
            raise
for name in mine:
    with open(name) as f:
        assert f.read() == me, name
print("\n".join(sorted(mine)))
PY
mount_view
pids=
for w in 1 2 3 4; do
	python "$T/worker.py" "$M" "w$w" >"$T/out$w" &
	pids="$pids $!"
done
for p in $pids; do
	wait "$p" || fail "a worker failed"
done
check() {
	(cd "$M" && find d e -name 'w*' | sort) >"$T/there"
	cat "$T"/out? | grep . | sort >"$T/expected"
	diff "$T/expected" "$T/there" || fail "files lost or too many"
	is "$(ls "$M/d" | grep -c '^low')" 40
	is "$(find "$M" -type f -exec cat {} + | wc -c)" "$(find "$M" -type f -printf '%s\n' | awk '{s += $1} END {print s}')" "sizes"
}
check
list "$M" >"$T/before"
remount_view
check
list "$M" | diff "$T/before" - || fail "another tree after the remount"

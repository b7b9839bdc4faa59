#!/bin/sh
# Under an rw rule, what others append to the real file is not overwritten by those who append in the view.
. "$HERE/lib.sh"
requires_osfuse
echo start >"$L/log"
printf 'rw /log\n' >"$T/policy"
mount_view "$L" "$U" "$W" "$M" --policy "$T/policy"
python - "$L" "$M" <<'PY'
import fcntl, os, sys, time
lower, view = (d + "/log" for d in sys.argv[1:])
with open(lower, "ab", 0) as ours, open(view, "ab", 0) as theirs, open(view, "rb", 0) as reader:
    want = reader.read()
    for i in range(200):
        for file, line in (theirs, b"view %d\n" % i), (ours, b"host %d: precious\n" % i), (theirs, b"x" * (i * 97) + b"\n"):
            file.write(line)
            want += line
        assert os.stat(view).st_size == len(want), i
        if i % 20 == 0:
            assert os.pread(reader.fileno(), len(want) + 1, 0) == want, i
    assert os.pread(reader.fileno(), len(want) + 1, 0) == want
    assert open(lower, "rb").read() == want
    # Without the flag offsets count again.
    fcntl.fcntl(theirs, fcntl.F_SETFL, fcntl.fcntl(theirs, fcntl.F_GETFL) & ~os.O_APPEND)
    os.pwrite(theirs.fileno(), b"START", 0)
    assert open(lower, "rb").read() == b"START" + want[5:]
PY
is "$(ls -A "$U")" "" upper

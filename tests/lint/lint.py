#!/usr/bin/env python3
"""The rules of the house that a compiler does not check: who may include whom, and a few manners.

lint.py ROOT         prints FILE:LINE: WHAT for every breach; exit status 1 if there was one
lint.py --self-test  makes a tree with one breach of every rule and expects each to be found
"""

import os
import re
import subprocess
import sys
import tempfile

# Inside core: room -> the rooms it may include besides itself. "osfuse" are the installed headers.
ROOMS = {
    "base": set(),
    "io": {"base"},
    "policy": {"base"},
    "layer": {"base", "io"},
    "overlay": {"base", "io", "policy", "layer"},
    "diff": {"base", "io", "policy", "layer"},
    "store": {"base", "io", "layer"},
    "os": {"base", "io", "overlay", "store", "osfuse"},
    "osfuse": set(),
}
CORE = set(ROOMS)
URING_DOOR = ("fuse/serve-ring.c", "uring/ring.h")
SOURCES = (".c", ".h")
TEXTS = (".c", ".h", ".py", ".sh", ".build", ".md", ".ini")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>")
FUSE_HEADER = re.compile(r"^(linux/fuse\.h|fuse3?/.*|fuse\w*\.h)$")
FUSE_WORD = re.compile(r"\b(struct\s+fuse_\w+|FUSE_[A-Z_]+|fuse_(req|ino|session)\w*)\b")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def strip_comments(text):
    return COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)


def room_of(path):
    parts = path.split("/")
    if parts[0] == "core":
        if parts[1] == "include":
            return "core", "osfuse"
        return "core", parts[1] if len(parts) > 2 else ""
    return parts[0], ""


def check_include(path, target):
    """Why path may not include target, or None."""
    house, room = room_of(path)
    head = target.split("/")[0]
    if house == "core":
        if head in ("fuse", "uring"):
            return "core does not know %s" % head
        if head in CORE and head != room and head not in ROOMS.get(room, set()):
            return "core/%s does not include %s" % (room, head)
        if "/" in target and head not in CORE:
            return "no room called %s in core" % head
    elif house == "uring" and head == "fuse":
        return "uring does not know fuse"
    elif house == "fuse" and head == "uring" and (path, target) != URING_DOOR:
        return "of uring, only %s includes %s" % URING_DOOR
    return None


def check_source(path, text):
    """(line, what) for every breach in a C file."""
    code = strip_comments(text).split("\n")
    house, _ = room_of(path)
    for number, line in enumerate(code, 1):
        m = INCLUDE.match(line)
        why = check_include(path, m.group(1)) if m else None
        if why:
            yield number, why
        m = SYSTEM_INCLUDE.match(line)
        if m and house != "fuse" and FUSE_HEADER.match(m.group(1)) and not path.startswith("tests/"):
            yield number, "only fuse/ includes <%s>" % m.group(1)
        if house in ("core", "uring") and FUSE_WORD.search(line) and not m:
            yield number, "FUSE's own types and constants stop at fuse/"
        if house == "core" and re.search(r"\b(exit|abort)\s*\(", line):
            yield number, "the library does not end the process"
    if path.endswith(".h"):
        first = next((s for s in text.split("\n") if s.strip()), "")
        if first.strip() != "#pragma once":
            yield 1, "a header begins with #pragma once"


def check_text(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if UNFINISHED.search(line):
            yield number, "unfinished work belongs in an issue"


def check_symbols(root):
    """Every prototype of an installed header has the library's prefix."""
    base = os.path.join(root, "core/include/osfuse")
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        with open(os.path.join(base, name), encoding="utf-8") as f:
            code = strip_comments(f.read())
        for m in re.finditer(r"^[a-z][\w \t*]*?\b(\w+)\s*\(", code, re.M):
            if not m.group(1).startswith("osf_") and "static inline" not in m.group(0):
                yield "core/include/osfuse/" + name, code[:m.start()].count("\n") + 1, "exported names start with osf_"


def files(root):
    """What git tracks or would track; all files where there is no repository."""
    p = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, universal_newlines=True)
    if p.returncode == 0 and p.stdout:
        return sorted(set(p.stdout.split("\n")) - {""})
    found = []
    for base, dirs, names in os.walk(root):
        dirs[:] = [d for d in dirs if not d.startswith((".git", "build"))]
        found += [os.path.relpath(os.path.join(base, n), root) for n in names]
    return sorted(found)


def lint(root):
    faults = list(check_symbols(root))
    for path in files(root):
        full = os.path.join(root, path)
        if not path.endswith(TEXTS) or not os.path.isfile(full):
            continue
        with open(full, encoding="utf-8") as f:
            text = f.read()
        faults += [(path, n, what) for n, what in check_text(path, text)]
        if path.endswith(SOURCES):
            faults += [(path, n, what) for n, what in check_source(path, text)]
    return faults


def self_test():
    bad = {
        "core/base/a.c": '#include "io/io.h"\n',
        "core/layer/b.c": '#include "fuse/wire.h"\n',
        "core/overlay/c.c": '#include "diff/scan.h"\n',
        "core/io/d.c": "int f(struct fuse_in_header *h);\n",
        "core/io/e.c": "#include <linux/fuse.h>\n",
        "core/store/f.c": "void f(void) { abort(); }\n",
        "core/store/g.h": "/* title */\n",
        "uring/h.c": '#include "fuse/wire.h"\n',
        "fuse/i.c": '#include "uring/ring.h"\n',
        "fuse/j.c": "/* TO" "DO */\n",
        "core/include/osfuse/k.h": "#pragma once\nint view_new(void);\n",
    }
    good = {
        "core/overlay/y.c": '#include "overlay/y.h"\n#include "layer/layer.h"\n#include "io/io.h"\n/* struct fuse_in_header */\n',
        "core/include/osfuse/z.h": "#pragma once\nint osf_view_new(void);\n",
        "fuse/serve-ring.c": '#include "uring/ring.h"\n#include <linux/fuse.h>\n',
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**bad, **good}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        found = {path for path, _, _ in lint(root)}
    for path in sorted(set(bad) ^ found):
        print("%s: %s" % (path, "not found" if path in bad else "found without reason"))
    return 1 if set(bad) ^ found else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    faults = lint(sys.argv[1])
    for fault in faults:
        print("%s:%d: %s" % fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

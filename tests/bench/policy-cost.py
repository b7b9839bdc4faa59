#!/usr/bin/env python3
"""What rules cost: the same work in views with no policy, 100 and 10,000 rules, in turn, against the bare file system.

policy-cost.py [--files N] [--rounds N] [--json FILE]      as root; needs 1 GiB below $TMPDIR; $OSFUSE is the program

Each round does every workload in every view once, in another order each time; "first" is with a mount that is new. The table has the
medians, and two ratios: to the bare file system, and to the view without rules.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RULES = (0, 100, 10000)
PER_DIR = 50


def make_tree(top, n_files):
    """About what a checkout with dependencies looks like: directories of 50 files, three deep."""
    paths = []
    for d in range(n_files // PER_DIR):
        path = os.path.join(top, "pkg%d" % (d % 20), "mod%d" % (d % 97), "dir%d" % d)
        os.makedirs(path)
        for i in range(PER_DIR):
            name = os.path.join(path, "%s%d.%s" % (("module", "test_case", "data")[i % 3], i, ("py", "txt", "json", "so")[i % 4]))
            with open(name, "wb") as f:
                f.write(b"x" * 1000)
            paths.append(os.path.relpath(name, top))
    return paths


def rules(n):
    """Of every kind, none of which decides anything here but by not matching."""
    kinds = (
        "hide /home/user{i}/.secret{i}", "hide **/.private{i}", "deny *.ext{i}", "ro /opt/app{i}/**", "hide name{i}*",
        "hide *word{i}*", "deny /srv/data{i}/*/key*", "ro **/vendor{i}/**", "hide /var/lib/app{i}/[a-f]*.db", "noexec /mnt/usb{i}/**",
    )
    return "".join(kinds[i % len(kinds)].format(i=i) + "\n" for i in range(n))


class View:
    def __init__(self, work, lower, n_rules):
        self.n_rules, self.lower = n_rules, lower
        self.root = os.path.join(work, "mnt%d" % n_rules)
        self.upper, self.scratch = self.root + ".upper", self.root + ".work"
        for path in (self.root, self.upper, self.scratch):
            os.mkdir(path)
        self.policy = self.root + ".policy"
        with open(self.policy, "w", encoding="ascii") as f:
            f.write(rules(n_rules))

    def mount(self):
        subprocess.run([os.environ["OSFUSE"], "mount", "--lower", self.lower, "--upper", self.upper, "--work", self.scratch]
                       + (["--policy", self.policy] if self.n_rules else []) + [self.root], check=True)

    def umount(self):
        subprocess.run([os.environ["OSFUSE"], "umount", self.root], check=True)


def walk(top):
    n = 0
    todo = [top]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for e in entries:
                e.stat(follow_symlinks=False)
                n += 1
                if e.is_dir(follow_symlinks=False):
                    todo.append(e.path)
    return n


def stat_all(top, paths):
    for p in paths:
        os.lstat(os.path.join(top, p))


def read_all(top, paths):
    for p in paths:
        fd = os.open(os.path.join(top, p), os.O_RDONLY)
        os.read(fd, 4096)
        os.close(fd)


def timed(f, *args):
    start = time.perf_counter()
    f(*args)
    return time.perf_counter() - start


def one_round(view, lower, sample):
    """Seconds a workload. view None: the bare file system."""
    top = view.root if view else lower
    if view:
        view.mount()
    try:
        return {
            "walk and stat, first": timed(walk, top),
            "walk and stat, again": timed(walk, top),
            "stat of %d files" % len(sample): timed(stat_all, top, sample),
            "open, read, close of %d" % len(sample): timed(read_all, top, sample),
        }
    finally:
        if view:
            view.umount()


def report(results):
    print("%-32s %9s %18s %18s %18s" % ("medians, milliseconds", "bare", "no rules", "100 rules", "10,000 rules"))
    summary = {}
    for name in results["bare"][0]:
        median = {k: statistics.median(r[name] for r in v) for k, v in results.items()}
        # The ratio within a round: the speed of the machine drifts between them.
        ratio = {k: statistics.median(r[name] / n[name] for r, n in zip(v, results[0])) for k, v in results.items() if k != "bare"}
        print("%-32s %9.1f" % (name, median["bare"] * 1e3), end="")
        for k in RULES:
            print(" %9.1f %7.3fx" % (median[k] * 1e3, ratio[k]), end="")
        print()
        summary[name] = {"median_s": {str(k): v for k, v in median.items()}, "ratio_to_no_rules": {str(k): v for k, v in ratio.items()}}
    return summary


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=50000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    args = parser.parse_args()
    os.environ.setdefault("OSFUSE", "build/fuse/osfuse")
    os.environ["OSFUSE"] = os.path.abspath(os.environ["OSFUSE"])
    work = tempfile.mkdtemp(prefix="osfuse-bench.")
    try:
        lower = os.path.join(work, "lower")
        paths = make_tree(lower, args.files)
        sample = random.Random(1).sample(paths, min(10000, len(paths)))
        views = [None] + [View(work, lower, n) for n in RULES]
        results = {"bare": [], **{n: [] for n in RULES}}
        walk(lower)
        for i in range(args.rounds):
            order = views[:]
            random.Random(i).shuffle(order)
            for view in order:
                results[view.n_rules if view else "bare"].append(one_round(view, lower, sample))
        summary = report(results)
        if args.json:
            with open(args.json, "w", encoding="ascii") as f:
                json.dump(summary, f, indent=1)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

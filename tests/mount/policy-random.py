#!/usr/bin/env python3
"""Random policies, replaced again and again, over a small tree: what shows and what can be read is what a model of a few lines says.

policy-random.py [--seeds N] [--start N] [--rounds N]
"""

import argparse
import os
import random
import shutil
import sys

from sandbox import Sandbox, result, write_file

NAMES = ["a", "b", "c"]
DIRS = ["/" + a for a in NAMES] + ["/%s/%s" % (a, b) for a in NAMES for b in NAMES]
FILES = [d + "/" + n for d in DIRS if d.count("/") == 2 for n in NAMES]
VERBS = ["hide", "deny", "ro", "cow"]  # from the least permissive on


class Policy:
    """Rules without patterns: a verb and a path."""

    def __init__(self, rng):
        self.rules = [(rng.choice(VERBS + ["cow"]), rng.choice(DIRS + FILES)) for _ in range(rng.randint(1, 6))]

    def text(self):
        return "".join("%s %s\n" % rule for rule in self.rules)

    def decide(self, path):
        """The verdict, and the number of the rule that it is by."""
        verdict = ("cow", -1)
        for number, (verb, at) in enumerate(self.rules):
            if path == at or path.startswith(at + "/"):
                verdict = (verb, number)
        return verdict

    def verdict(self, path):
        return self.decide(path)[0]

    def is_passage(self, path):
        verb, number = self.decide(path)
        return verb in ("hide", "deny") and path not in FILES and any(
            at.startswith(path + "/") and VERBS.index(v) > VERBS.index(verb) for v, at in self.rules[number + 1:])

    def is_closed(self, path):
        return self.verdict(path) in ("hide", "deny") and not self.is_passage(path)

    def shows_in(self, directory, path):
        """In a listing, and for a look-up, of a directory that can be reached."""
        if self.verdict(path) == "hide":
            return self.is_passage(path)
        return not (self.verdict(directory) == "deny" and self.is_closed(path))

    def stat(self, path):
        """"there", or an error."""
        parts = path.split("/")
        directory = "/"
        for i in range(2, len(parts) + 1):
            at = "/".join(parts[:i])
            if i > 2 and self.is_closed(directory):
                return "EACCES"  # denied: what is hidden was found out one step before
            if not self.shows_in(directory, at):
                return "ENOENT" if self.verdict(at) == "hide" else "EACCES"
            directory = at
        return "there"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check(box, policy, wrong):
    def expect(what, path, got, want):
        if got != want:
            wrong.append("%s %s: %r, not %r, under:\n%s" % (what, path, got, want, policy.text()))

    for path in DIRS + FILES:
        below, full = box.lower + path, box.mnt + path
        if not os.path.exists(below):
            continue
        there = policy.stat(path)
        expect("stat", path, result(lambda p: "there" if os.lstat(p) else "", full), there)
        if path in FILES:
            text = "EACCES" if policy.is_closed(path) else read(below)
            expect("read", path, result(read, full), text if there == "there" else there)
            writes = result(lambda p: os.close(os.open(p, os.O_WRONLY)) or "ok", full)
            how = {"deny": "EACCES", "ro": "EROFS", "cow": "ok"}.get(policy.verdict(path))
            expect("write", path, writes, how if there == "there" else there)
        else:
            names = sorted(n for n in os.listdir(below) if policy.shows_in(path, path + "/" + n))
            want = "EACCES" if policy.is_closed(path) else names
            expect("list", path, result(lambda p: sorted(os.listdir(p)), full), want if there == "there" else there)


def plant(box, rng):
    for d in DIRS:
        if rng.random() < 0.9:
            os.makedirs(box.lower + d, exist_ok=True)
    for path in FILES:
        if os.path.isdir(os.path.dirname(box.lower + path)) and rng.random() < 0.8:
            write_file(box.lower + path, "lower" + path)


def run(seed, rounds):
    rng, wrong = random.Random(seed), []
    policy = Policy(rng)
    box = Sandbox("random%d" % seed, policy.text())
    plant(box, rng)
    box.mount()
    try:
        for _ in range(rounds):
            check(box, policy, wrong)
            if rng.random() < 0.5:
                check(box, policy, wrong)  # what the kernel remembers
            policy = Policy(rng)
            box.reload(policy.text())
    finally:
        box.unmount()
    shutil.rmtree(box.base)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    n_wrong = 0
    for seed in range(options.start, options.start + options.seeds):
        wrong = run(seed, options.rounds)
        for text in wrong[:5]:
            print("seed %d: %s" % (seed, text))
        n_wrong += len(wrong)
    print("%d policies, %d wrong" % (options.seeds * options.rounds, n_wrong))
    return 1 if n_wrong else 0


sys.exit(main())

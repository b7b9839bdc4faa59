#!/usr/bin/env python3
"""The sum of a test run: summary.py LOG… prints "N passed, N failed, N skipped" as its last line.

The logs are meson's testlog.json. The exit status is 1 if a test failed, or none ran, or every test of the suite
"mount" was skipped: a run that could not mount has not tested the program.
"""

import json
import sys

KINDS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    mount = dict(count)
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8") as f:
                tests = [json.loads(line) for line in f]
        except OSError as e:
            print("no test log: %s" % e)
            tests = [{"name": path, "result": "ERROR"}]
        for t in tests:
            kind = KINDS.get(t["result"], "failed")
            count[kind] += 1
            if ":mount" in t["name"].split(" / ")[0]:
                mount[kind] += 1
            if kind == "failed":
                print("failed: %s (%s)" % (t["name"], t["result"]))
            elif kind == "skipped":
                reason = next((s for s in t.get("stdout", "").splitlines() if s.startswith("SKIP: ")), "SKIP: no reason given")
                print("skipped: %s: %s" % (t["name"], reason[6:]))
    bad = count["failed"] or not count["passed"]
    if mount["skipped"] and not mount["passed"] + mount["failed"]:
        print("all mount tests were skipped: nothing was mounted")
        bad = True
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % count)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

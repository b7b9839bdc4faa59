#!/usr/bin/env python3
"""Turns policy files into C, so that the program carries them: embed.py OUTPUT FILE.policy…"""

import os
import sys


def c_bytes(data):
    """The bytes as numbers: a string literal as long as that is not portable."""
    for i in range(0, len(data), 24):
        yield "\t" + " ".join("%d," % b for b in data[i:i + 24])


def main():
    output, paths = sys.argv[1], sorted(sys.argv[2:])
    names = [os.path.splitext(os.path.basename(p))[0] for p in paths]
    out = ["/* Made by contrib/policies/embed.py. */", "", "#include <string.h>", "", '#include "policy/policy.h"', ""]
    for i, path in enumerate(paths):
        with open(path, "rb") as f:
            out += ["static const unsigned char text%d[] = {" % i, *c_bytes(f.read() + b"\0"), "};", ""]
    out += ["static const char *const names[] = {", *('\t"%s",' % n for n in names), "\tNULL,", "};", ""]
    out += ["static const struct {", "\tconst unsigned char *text;", "\tsize_t len;", "} texts[] = {",
            *("\t{ text%d, sizeof(text%d) - 1 }," % (i, i) for i in range(len(paths))), "};", ""]
    out += ["const char *policy_shipped(const char *name, size_t *ret_len)", "{",
            "\tfor (size_t i = 0; names[i]; i++)", "\t\tif (strcmp(names[i], name) == 0) {",
            "\t\t\t*ret_len = texts[i].len;", "\t\t\treturn (const char *) texts[i].text;", "\t\t}", "\treturn NULL;", "}", ""]
    out += ["const char *const *policy_shipped_names(void)", "{", "\treturn names;", "}", ""]
    with open(output, "w", encoding="ascii") as f:
        f.write("\n".join(out))


if __name__ == "__main__":
    main()

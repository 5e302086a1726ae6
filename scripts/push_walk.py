"""Reads what callgrind wrote for scripts/push-walk: ROOT DIRECTORY PUSHES."""

import collections
import os
import re
import sys

ROOT, OUT, PUSHES = sys.argv[1], sys.argv[2], int(sys.argv[3])


def calls_of(path):
    """(caller's file, callee's file, callee) → how often, for callees in .c files of the repository."""
    seen = collections.Counter()
    file = callee_file = callee = None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if key == "fl":
                file = callee_file = value
            elif key in ("cfi", "cfl"):
                callee_file = value
            elif key == "cfn":
                callee = value.split("'")[0]
            elif key == "calls":
                if short(callee_file) != "-":
                    seen[short(file), short(callee_file), callee] += int(value.split()[0])
                callee_file = file
    return seen


def short(path):
    """From the root of the repository, wherever it was compiled. "-" for a file that is not one of its .c files."""
    path = re.sub(r".*/build[^/]*/\.\./", "", path)
    return path if path.endswith(".c") and os.path.exists(f"{ROOT}/{path}") else "-"


def main():
    files, moves = set(), set()
    for daemon in ("logic", "router", "job", "comet"):
        idle = calls_of(f"{OUT}/{daemon}.out.1") | calls_of(f"{OUT}/{daemon}.out.3")  # the greater of both
        busy = calls_of(f"{OUT}/{daemon}.out.2")
        # A timer's calls are about as many in both; what is done for some pushes only is not of each push.
        of_push = {call for call, n in busy.items() if n - idle[call] >= PUSHES / 2}
        here = {callee for _, callee, _ in of_push}
        between = {(a, b, f) for a, b, f in of_push if a != b and a != "-"}
        print(f"{daemon}: {len(here)} files, {len(between)} moves")
        for file in sorted(here):
            print(f"    {file}: " + ", ".join(sorted({f for _, b, f in of_push if b == file})))
            for caller, f in sorted((a, f) for a, b, f in of_push if b == file and a != b and os.environ.get("CALLERS")):
                print(f"        {f} ← {caller}: {busy[caller, file, f] - idle[caller, file, f]}")
        files |= here
        moves |= between
    print(f"{len(files)} .c files, {len(moves)} moves from one file to another")


main()

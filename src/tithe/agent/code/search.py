"""Searches files for a regular expression, in a process of its own: one that never ends can only be ended from outside.

    python -I -S -B search.py SECONDS < order.json > found.json

The order is {"root", "files": [path, ...], "pattern", "most"}; what comes is {"found": [[path, line, text], ...], "more": lines that were
found beyond `most`, "large": files that were too large}, or {"error": what is wrong with the pattern}. Files that are no text are
passed over.
It ends itself after so many seconds of computing, should nobody be there any more to end it.
"""

import json
import os
import re
import resource
import sys

_SHOWN = 240
LARGEST = 4 << 20


def search(root: str, files: "list[str]", pattern: str, most: int) -> "dict[str, object]":
    try:
        wanted = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return {"error": str(error)}
    found: list[tuple[str, int, str]] = []
    more = large = 0
    for path in files:
        if _size(f"{root}/{path}") > LARGEST:
            large += 1
            continue
        for number, line in enumerate(_lines(f"{root}/{path}"), 1):
            if wanted.search(line):
                if len(found) < most:
                    found.append((path, number, line.strip()[:_SHOWN]))
                else:
                    more += 1
    return {"found": found, "more": more, "large": large}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - no pathlib, for speed
    except OSError:
        return 0


def _lines(path: str) -> "list[str]":
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no pathlib, for speed
            data = file.read()
    except OSError:
        return []
    return [] if b"\0" in data[:8192] else data.decode(errors="replace").split("\n")


if __name__ == "__main__":
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    json.dump(search(**json.load(sys.stdin)), sys.stdout)

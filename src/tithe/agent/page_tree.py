"""A page's accessibility tree as text, of which a model is shown a part that fits.

The tree is Playwright's: an element a line, its parts indented beneath it, `[ref=e5]` behind what can be named.
"""

import re
from collections.abc import Sequence

LONGEST = 12_000
"""Characters that are shown at once: about 3,000 tokens."""
_LONGEST_LINE = 2_000


def shown(tree: str, first: int = 1, find: str = "") -> str:
    """The lines from `first` on, as many as fit; with `find`, only those with these words in them, and what they are parts of.

    What is cut is told, and how to read on.
    """
    lines = [_clipped(line) for line in tree.splitlines()]
    if not lines:
        return "(The page is empty.)"
    places: Sequence[int] = range(len(lines))
    if find.strip():
        places = _found(lines, " ".join(find.casefold().split()))
        if not places:
            return f"(Nothing on the page has {find!r} in it.)"
    places = [place for place in places if place >= first - 1]
    if not places:
        return f"(The page has {len(lines):,} lines.)"
    fitting, length = 0, 0
    for place in places:
        length += len(lines[place]) + 1
        if length > LONGEST:
            break
        fitting += 1
    text = "\n".join(lines[place] for place in places[:fitting])
    if fitting == len(places):
        return text
    onwards = f"line={places[fitting] + 1}" + (f", find={find!r}" if find.strip() else "")
    return f"{text}\n(cut: {len(places) - fitting:,} more lines; read_page({onwards}) reads on)"


def _found(lines: Sequence[str], wanted: str) -> list[int]:
    """The places of the lines that have `wanted` in them, and of all that they stand beneath."""
    kept: set[int] = set()
    above: list[tuple[int, int]] = []
    for place, line in enumerate(lines):
        depth = len(line) - len(line.lstrip(" "))
        while above and above[-1][0] >= depth:
            above.pop()
        above.append((depth, place))
        if wanted in re.sub(r"\s+", " ", line.casefold()):
            kept.update(each for _, each in above)
    return sorted(kept)


def _clipped(line: str) -> str:
    more = len(line) - _LONGEST_LINE
    return line if more <= 0 else f"{line[:_LONGEST_LINE]} (cut: {more:,} more characters of this line)"

"""Bugs: one line replaced by a wrong one. Each kind belongs to one split."""

import msgspec

from tithe.world.task import Split

BUG_KINDS: dict[Split, tuple[str, ...]] = {
    "train": (
        "starts one high",
        "minus for plus",
        "plus for minus",
        "plus for times",
        "comparison turned",
        "range ends early",
        "arguments swapped",
        "returns too early",
        "wrong end",
        "wrong name",
        "default of one",
        "part left out",
    ),
    "held_out": (
        "starts one low",
        "times for plus",
        "times for minus",
        "minus for times",
        "boundary of comparison",
        "range begins late",
        "range ends late",
        "return missing",
        "index off by one",
        "default missing",
        "wrong constant",
        "equality for order",
    ),
}


class Bug(msgspec.Struct, frozen=True):
    """A kind of bug, the line it is in (0 is the `def`), and the wrong line."""

    kind: str
    line: int
    wrong: str

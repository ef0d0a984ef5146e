"""Drafting: guess the next tokens from the sequence's own history, for the next step to verify.

Prompt lookup (Saxena, 2023): agents repeat themselves, quoting file names, identifiers and tool
results, so what followed the last few tokens the last time they occurred is a fair guess. A guess
costs no model call, and verifying it costs little more than the step that is run anyway. It changes
no answer: at every position the token is sampled from the model as always, and a draft only saves
the step when it happens to be that token.
"""

from array import array
from collections.abc import Sequence

LOOKUP = 3
"""How many last tokens must have occurred before."""


def propose(tokens: Sequence[int], most: int) -> list[int]:
    """Up to `most` tokens that followed the latest earlier occurrence of the last LOOKUP tokens."""
    if most <= 0 or len(tokens) <= LOOKUP:
        return []
    history = array("i", tokens)
    width = history.itemsize
    data = history.tobytes()
    wanted = data[-LOOKUP * width :]
    end = len(data) - width
    while (at := data.rfind(wanted, 0, end)) >= 0:
        if at % width == 0:
            start = at // width + LOOKUP
            return list(tokens[start : start + most])
        end = at + len(wanted) - 1
    return []
